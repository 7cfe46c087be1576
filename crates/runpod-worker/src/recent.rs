//! Results of jobs that may be offered again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::source::Post;

/// Results of jobs that may be offered again, within a number and a size.
#[derive(Debug)]
pub(crate) struct RecentResults {
    max_results: usize,
    max_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    results: HashMap<String, Post>,
    oldest_first: VecDeque<String>,
    bytes: usize,
}

impl RecentResults {
    pub(crate) fn new(max_results: usize, max_bytes: usize) -> Self {
        Self { max_results, max_bytes, kept: Mutex::default() }
    }

    pub(crate) fn get(&self, job_id: &str) -> Option<Post> {
        self.lock().results.get(job_id).cloned()
    }

    /// Forgets the oldest as needed. A result larger than all the space is not kept.
    pub(crate) fn remember(&self, post: Post) {
        let bytes = post.body.len();
        if self.max_results == 0 || bytes > self.max_bytes {
            return;
        }
        let mut kept = self.lock();
        if kept.results.contains_key(&post.job_id) {
            return;
        }
        while kept.results.len() >= self.max_results || kept.bytes + bytes > self.max_bytes {
            let Some(id) = kept.oldest_first.pop_front() else {
                break;
            };
            if let Some(forgotten) = kept.results.remove(&id) {
                kept.bytes -= forgotten.body.len();
            }
        }
        kept.bytes += bytes;
        kept.oldest_first.push_back(post.job_id.clone());
        kept.results.insert(post.job_id.clone(), post);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics half-way through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::source::PostKind;

    fn result(id: u32, bytes: usize) -> Post {
        Post {
            job_id: id.to_string(),
            kind: PostKind::Result { is_stream: false },
            body: Bytes::from(vec![b' '; bytes]),
        }
    }

    #[test]
    fn the_oldest_results_give_way() {
        let recent = RecentResults::new(3, 100);
        for id in 0..5 {
            recent.remember(result(id, 10));
        }
        let known = |id: u32| recent.get(&id.to_string()).is_some();
        assert_eq!([0, 1, 2, 3, 4].map(known), [false, false, true, true, true]);
        recent.remember(result(5, 85));
        assert_eq!([2, 3, 4, 5].map(known), [false, false, true, true]);
        recent.remember(result(6, 101));
        assert!(known(5) && !known(6));
        recent.remember(result(5, 3));
        assert_eq!(recent.get("5").unwrap().body.len(), 85);
    }
}
