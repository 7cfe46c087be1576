/// How far a synthesis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Network evaluations made, of all chunks.
    pub evaluations_done: usize,
    /// Network evaluations to make.
    pub evaluations: usize,
    /// The chunk at work, from 0.
    pub chunk: usize,
    /// All chunks.
    pub chunks: usize,
}

/// Watches a synthesis. Every method may be left out; `()` watches nothing.
pub trait Observer {
    /// Called before the first and after each evaluation.
    fn progress(&mut self, progress: Progress) {
        let _ = progress;
    }

    /// Called with the result of every stage, for whoever looks where two implementations part:
    /// `chunk0.noise`, `chunk0.mel`, `chunk0.wave`, ….
    fn stage(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let _ = (name, shape, values);
    }
}

impl Observer for () {}
