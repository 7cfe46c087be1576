use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    device::{Address, int},
    pool::Block,
};
use crate::{Items, Result};

/// Queries that a block of threads takes; as in `cuda/attention.cuh`.
pub(super) const QUERIES: usize = 64;

/// Where the rows of some items lie, on the device.
#[derive(Debug)]
pub(super) struct Rows {
    items: Items,
    /// The first row of each item, and the end of the last.
    starts: Block,
    /// The item of each row.
    row_item: Block,
    /// First and last row of the item, and the first of [`QUERIES`] rows.
    tiles: Block,
    tile_count: usize,
}

impl Rows {
    fn new(items: &Items, upload: impl Fn(&[i32]) -> Result<Block>) -> Result<Self> {
        let mut starts = vec![0];
        let (mut row_item, mut tiles) = (Vec::with_capacity(items.rows()), Vec::new());
        for (index, range) in items.iter().enumerate() {
            let (start, end) = (int(range.start)?, int(range.end)?);
            starts.push(end);
            row_item.extend(std::iter::repeat_n(int(index)?, range.len()));
            for first in range.step_by(QUERIES) {
                tiles.extend([start, end, int(first)?]);
            }
        }
        Ok(Self {
            items: items.clone(),
            starts: upload(&starts)?,
            row_item: upload(&row_item)?,
            tile_count: tiles.len() / 3,
            tiles: upload(&tiles)?,
        })
    }

    pub(super) fn starts(&self) -> Address {
        self.starts.address()
    }

    pub(super) fn row_item(&self) -> Address {
        self.row_item.address()
    }

    pub(super) fn tiles(&self) -> Address {
        self.tiles.address()
    }

    pub(super) fn tile_count(&self) -> usize {
        self.tile_count
    }
}

/// The last few: all operations of a batch ask for the same.
#[derive(Debug, Default)]
pub(super) struct RowsCache(Mutex<Vec<Arc<Rows>>>);

impl RowsCache {
    pub(super) fn get(
        &self,
        items: &Items,
        upload: impl Fn(&[i32]) -> Result<Block>,
    ) -> Result<Arc<Rows>> {
        const KEPT: usize = 16;

        if let Some(rows) = self.kept(items) {
            return Ok(rows);
        }
        let rows = Arc::new(Rows::new(items, upload)?);
        let mut kept = self.lock();
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(Arc::clone(&rows));
        Ok(rows)
    }

    /// Those of `items`, which then are the latest used.
    fn kept(&self, items: &Items) -> Option<Arc<Rows>> {
        let mut kept = self.lock();
        let at = kept.iter().rposition(|rows| rows.items == *items)?;
        let rows = kept.remove(at);
        kept.push(Arc::clone(&rows));
        Some(rows)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Rows>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
