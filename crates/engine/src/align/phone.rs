//! The sounds that the acoustic model knows.

/// One of the 42 phones of the acoustic model, by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Phone(u8);

/// How many phones there are, silence and noises included.
pub(super) const PHONES: usize = NAMES.len();
/// States that every phone passes through.
pub(super) const STATES: usize = 3;

/// The symbols of CMU Sphinx, in the order of the model; mostly ARPABET without stress.
const NAMES: [&str; 42] = [
    "+NSN+", "+SPN+", "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY",
    "F", "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH",
    "SIL", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
];

impl Phone {
    /// No speech.
    pub(super) const SILENCE: Self = Self(32);

    /// Finds a phone by its symbol.
    pub(super) fn parse(symbol: &str) -> Option<Self> {
        (0..)
            .zip(NAMES)
            .find_map(|(index, name)| (name == symbol).then_some(Self(index)))
    }

    /// All sounds of speech: neither silence nor noise.
    pub(super) fn speech() -> impl Iterator<Item = Self> {
        (2..)
            .zip(&NAMES[2..])
            .map(|(index, _)| Self(index))
            .filter(|&phone| phone != Self::SILENCE)
    }

    /// The place among the phones of the model.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_name_phones() {
        assert_eq!(Phone::parse("SIL"), Some(Phone::SILENCE));
        assert_eq!(Phone::parse("ZH").map(Phone::index), Some(41));
        assert_eq!(Phone::parse("zh"), None);
        assert_eq!(Phone::speech().count(), 39);
    }
}
