mod grid;
mod noise;
