use std::ops::Range;

/// Where the items of a ragged batch lie: item `i` owns the rows `starts[i]..starts[i + 1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items {
    starts: Vec<usize>,
}

impl Items {
    /// Lays items of the given numbers of rows one after the other.
    pub fn new(rows_of_each: impl IntoIterator<Item = usize>) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for rows in rows_of_each {
            end += rows;
            starts.push(end);
        }
        Self { starts }
    }

    /// A batch of one item.
    pub fn single(rows: usize) -> Self {
        Self { starts: vec![0, rows] }
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of all items together.
    pub fn rows(&self) -> usize {
        self.starts.last().copied().unwrap_or_default()
    }

    /// The rows of item `index`.
    pub fn range(&self, index: usize) -> Range<usize> {
        self.starts[index]..self.starts[index + 1]
    }

    /// The rows of every item, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.starts.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// The item that owns `row`.
    pub fn item_of(&self, row: usize) -> usize {
        self.starts.partition_point(|&start| start <= row) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_know_their_item() {
        let items = Items::new([3, 1, 2]);
        assert_eq!(items.rows(), 6);
        let owners: Vec<usize> = (0..6).map(|row| items.item_of(row)).collect();
        assert_eq!(owners, [0, 0, 0, 1, 2, 2]);
        assert_eq!(items.range(2), 4..6);
    }
}
