//! How a number may be read aloud in English.

/// A way to say something: words in order, each possibly with alternatives behind `|`, of which `-`
/// is saying nothing.
pub(super) type Phrase = Vec<&'static str>;

/// The most digits that are read as one number; more are read one by one.
const MAX_CARDINAL_DIGITS: usize = 15;
/// The most digits of which a reading is offered at all.
const MAX_DIGITS: usize = 40;

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const SCALES: [(u64, &str); 4] = [
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1000, "thousand"),
];
/// Ordinals, and plurals of tens, whose spelling is not that of the cardinal with an ending.
const ORDINALS: [(&str, &str); 22] = [
    ("one", "first"),
    ("two", "second"),
    ("three", "third"),
    ("four", "fourth"),
    ("five", "fifth"),
    ("six", "sixth"),
    ("seven", "seventh"),
    ("eight", "eighth"),
    ("nine", "ninth"),
    ("ten", "tenth"),
    ("eleven", "eleventh"),
    ("twelve", "twelfth"),
    ("thirteen", "thirteenth"),
    ("fourteen", "fourteenth"),
    ("fifteen", "fifteenth"),
    ("sixteen", "sixteenth"),
    ("seventeen", "seventeenth"),
    ("eighteen", "eighteenth"),
    ("nineteen", "nineteenth"),
    ("hundred", "hundredth"),
    ("thousand", "thousandth"),
    ("million", "millionth"),
];
const TENTHS: [(&str, &str, &str); 8] = [
    ("twenty", "twentieth", "twenties"),
    ("thirty", "thirtieth", "thirties"),
    ("forty", "fortieth", "forties"),
    ("fifty", "fiftieth", "fifties"),
    ("sixty", "sixtieth", "sixties"),
    ("seventy", "seventieth", "seventies"),
    ("eighty", "eightieth", "eighties"),
    ("ninety", "ninetieth", "nineties"),
];

/// The readings of a row of digits: as a number, as a year, digit by digit, as the day of a month.
pub(super) fn readings(digits: &str) -> Vec<Phrase> {
    let mut readings = Vec::new();
    if let Some(number) = value(digits) {
        readings.push(cardinal(number));
        readings.extend(in_halves(digits));
        if (1..=31).contains(&number) {
            readings.push(ordinal(number));
        }
    }
    if digits.len() > 1 {
        readings.push(one_by_one(digits));
    }
    readings
}

/// The readings of digits behind a decimal point.
pub(super) fn fraction_readings(digits: &str) -> Vec<Phrase> {
    let mut readings = vec![one_by_one(digits)];
    readings.extend(value(digits).filter(|_| digits.len() == 2).map(cardinal));
    readings
}

/// The readings of digits before `st`, `nd`, `rd` or `th`.
pub(super) fn ordinal_readings(digits: &str) -> Vec<Phrase> {
    vec![value(digits).map_or_else(|| one_by_one(digits), ordinal)]
}

/// The readings of digits before an `s`, as in 1990s.
pub(super) fn plural_readings(digits: &str) -> Vec<Phrase> {
    let mut readings = readings(digits);
    for reading in &mut readings {
        if let Some(last) = reading.last_mut() {
            *last = plural(last);
        }
    }
    readings
}

fn value(digits: &str) -> Option<u64> {
    (digits.len() <= MAX_CARDINAL_DIGITS)
        .then(|| digits.parse().ok())
        .flatten()
}

fn cardinal(number: u64) -> Phrase {
    if let Some(&word) = usize::try_from(number)
        .ok()
        .and_then(|number| UNITS.get(number))
    {
        return vec![word];
    }
    let mut phrase = Vec::new();
    let mut rest = number;
    for (scale, word) in SCALES {
        if rest >= scale {
            phrase.extend(cardinal(rest / scale));
            phrase.push(word);
            rest %= scale;
        }
    }
    if rest >= 100 {
        phrase.extend(cardinal(rest / 100));
        phrase.push("hundred");
        rest %= 100;
    }
    if rest > 0 {
        if !phrase.is_empty() {
            phrase.push("and|-");
        }
        phrase.extend(below_hundred(rest));
    }
    phrase
}

fn below_hundred(number: u64) -> Phrase {
    let digit = |number: u64| usize::try_from(number).unwrap_or_default();
    match number {
        0..20 => vec![UNITS[digit(number)]],
        _ if number.is_multiple_of(10) => vec![TENS[digit(number / 10)]],
        _ => vec![TENS[digit(number / 10)], UNITS[digit(number % 10)]],
    }
}

/// 1999 as nineteen ninety-nine, 1905 as nineteen oh five, 1900 as nineteen hundred, 407 as four
/// oh seven.
fn in_halves(digits: &str) -> Option<Phrase> {
    if !(3..=4).contains(&digits.len()) || digits.starts_with('0') {
        return None;
    }
    let (front, back) = digits.split_at(digits.len() - 2);
    let (front, back): (u64, u64) = (front.parse().ok()?, back.parse().ok()?);
    let mut phrase = cardinal(front);
    match back {
        0 => phrase.push("hundred"),
        1..10 => {
            phrase.push("oh|zero");
            phrase.extend(below_hundred(back));
        }
        _ => phrase.extend(below_hundred(back)),
    }
    Some(phrase)
}

fn one_by_one(digits: &str) -> Phrase {
    let word = |digit: u8| {
        if digit == b'0' {
            "zero|oh"
        } else {
            UNITS[usize::from(digit - b'0')]
        }
    };
    digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .take(MAX_DIGITS)
        .map(word)
        .collect()
}

fn ordinal(number: u64) -> Phrase {
    let mut phrase = cardinal(number);
    if let Some(last) = phrase.last_mut() {
        let tens = TENTHS.iter().find(|(cardinal, ..)| cardinal == last);
        let other = ORDINALS.iter().find(|(cardinal, _)| cardinal == last);
        *last = tens
            .map(|tens| tens.1)
            .or(other.map(|other| other.1))
            .unwrap_or(last);
    }
    phrase
}

fn plural(word: &'static str) -> &'static str {
    match word {
        "zero|oh" | "zero" => "zeros|ohs",
        "one" => "ones",
        "two" => "twos",
        "three" => "threes",
        "four" => "fours",
        "five" => "fives",
        "six" => "sixes",
        "seven" => "sevens",
        "eight" => "eights",
        "nine" => "nines",
        "hundred" => "hundreds",
        "thousand" => "thousands",
        _ => TENTHS
            .iter()
            .find(|(tens, ..)| *tens == word)
            .map_or(word, |tens| tens.2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(phrase: &[&str]) -> String {
        phrase.join(" ").replace(" and|-", "")
    }

    #[track_caller]
    fn check(digits: &str, expected: &[&str]) {
        let actual: Vec<String> = readings(digits).iter().map(|phrase| said(phrase)).collect();
        assert_eq!(actual, expected);
    }

    #[test]
    fn numbers_have_several_readings() {
        check("0", &["zero"]);
        check("12", &["twelve", "twelfth", "one two"]);
        check("30", &["thirty", "thirtieth", "three zero|oh"]);
        check(
            "407",
            &[
                "four hundred seven",
                "four oh|zero seven",
                "four zero|oh seven",
            ],
        );
        check(
            "1905",
            &[
                "one thousand nine hundred five",
                "nineteen oh|zero five",
                "one nine zero|oh five",
            ],
        );
        check(
            "100000",
            &[
                "one hundred thousand",
                "one zero|oh zero|oh zero|oh zero|oh zero|oh",
            ],
        );
        check(
            "0123456789012345",
            &[
                "zero|oh one two three four five six seven eight nine zero|oh one two three four five",
            ],
        );
    }

    #[test]
    fn endings_change_the_last_word() {
        assert_eq!(ordinal_readings("23"), [vec!["twenty", "third"]]);
        assert_eq!(ordinal_readings("100"), [vec!["one", "hundredth"]]);
        assert_eq!(plural_readings("1990")[1], ["nineteen", "nineties"]);
        assert_eq!(fraction_readings("50"), [vec!["five", "zero|oh"], vec!["fifty"]]);
    }
}
