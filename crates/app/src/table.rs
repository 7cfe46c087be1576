//! Tables for people.

/// Columns of equal width, the last one ragged; the first row is the head.
pub(crate) fn table(rows: &[impl AsRef<[String]>]) -> String {
    let columns = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.as_ref().get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.as_ref().iter().zip(&widths);
        let line: Vec<_> = cells
            .map(|(cell, &width)| format!("{cell:width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A time of a store, in whole seconds.
pub(crate) fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_seconds() {
        assert_eq!(seconds("2026-11-22T23:40:54.849362482Z"), "2026-11-22T23:40:54Z");
        assert_eq!(seconds("2026-11-22T23:40:54Z"), "2026-11-22T23:40:54Z");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = vec![["a", "bb", ""], ["aaa", "b", "c"]]
            .into_iter()
            .map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows.collect::<Vec<_>>()), "a    bb\naaa  b   c\n");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["NAME", "SIZE"], ["änna.wav", "7"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "NAME      SIZE\nänna.wav  7\n");
    }
}
