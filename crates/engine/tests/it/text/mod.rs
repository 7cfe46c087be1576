mod chunk;
mod reference;
mod script;
mod tokenize;
mod vocab;
