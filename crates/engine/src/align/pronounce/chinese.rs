//! How a number may be read aloud in Mandarin, in pinyin without tones.

const DIGITS: [&str; 10] = [
    "ling", "yi", "er", "san", "si", "wu", "liu", "qi", "ba", "jiu",
];
const MYRIADS: [(u64, &str); 2] = [(100_000_000, "yi"), (10_000, "wan")];
const SCALES: [(u64, &str); 3] = [(1000, "qian"), (100, "bai"), (10, "shi")];
const MAX_DIGITS: usize = 40;

/// The readings of a row of digits: as a number, and digit by digit. A syllable may have
/// alternatives behind `|`.
pub(super) fn readings(digits: &str) -> Vec<Vec<&'static str>> {
    let mut readings = vec![one_by_one(digits)];
    let value = digits.parse().ok().filter(|_| digits.len() <= 12);
    readings.extend(value.map(cardinal));
    readings
}

/// Digits one after the other, as in years and behind a point.
pub(super) fn one_by_one(digits: &str) -> Vec<&'static str> {
    let digits = digits.bytes().filter(u8::is_ascii_digit).take(MAX_DIGITS);
    digits
        .map(|digit| {
            if digit == b'1' {
                "yi|yao"
            } else {
                DIGITS[usize::from(digit - b'0')]
            }
        })
        .collect()
}

fn cardinal(number: u64) -> Vec<&'static str> {
    if number == 0 {
        return vec!["ling"];
    }
    let mut syllables = Vec::new();
    let mut rest = number;
    for (scale, name) in MYRIADS {
        if rest >= scale {
            syllables.extend(cardinal(rest / scale));
            syllables.push(name);
            rest %= scale;
        }
    }
    let mut skipped = !syllables.is_empty() && rest < 1000;
    for (scale, name) in SCALES {
        let digit = usize::try_from(rest / scale).unwrap_or_default();
        rest %= scale;
        if digit == 0 {
            skipped |= !syllables.is_empty() && rest > 0;
            continue;
        }
        push_digit(digit, &mut skipped, &mut syllables);
        syllables.push(name);
    }
    if rest > 0 {
        let unit = usize::try_from(rest).unwrap_or_default();
        push_digit(unit, &mut skipped, &mut syllables);
    }
    syllables
}

/// A digit of a number; 一 before 十 and the 零 of a gap may be left out, and 2 has two names.
fn push_digit(digit: usize, skipped: &mut bool, syllables: &mut Vec<&'static str>) {
    if *skipped {
        syllables.push("ling|-");
        *skipped = false;
    }
    syllables.push(match digit {
        1 if syllables.is_empty() => "yi|-",
        2 => "er|liang",
        digit => DIGITS[digit],
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(digits: &str, expected: &str) {
        assert_eq!(readings(digits)[1].join(" "), expected);
    }

    #[test]
    fn numbers_are_read_in_myriads() {
        check("0", "ling");
        check("10", "yi|- shi");
        check("25", "er|liang shi wu");
        check("305", "san bai ling|- wu");
        check("12345", "yi|- wan er|liang qian san bai si shi wu");
        check("1000000", "yi|- bai wan");
        assert_eq!(readings("2024")[0], ["er", "ling", "er", "si"]);
    }
}
