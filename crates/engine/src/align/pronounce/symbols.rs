//! Abbreviations, units and signs, and the words that they stand for in English.

/// What a whole word in lower case, without full stops at its end, may be short for.
pub(super) fn abbreviation(word: &str) -> Option<&'static [&'static str]> {
    find(ABBREVIATIONS, word)
}

/// What letters behind a number, or around a stroke as in `km/h`, may be short for.
pub(super) fn unit(letters: &str) -> Option<&'static [&'static str]> {
    find(UNITS, letters)
}

/// What a sign within a word may be read as; `-` is not at all.
pub(super) fn sign(sign: char) -> Option<&'static str> {
    SIGNS
        .iter()
        .find_map(|&(found, words)| (found == sign).then_some(words))
}

/// Whether a sign is read by its entry here, though its compatible form is letters or digits.
pub(super) fn is_read_as_it_is(sign: char) -> bool {
    "½¼¾²³".contains(sign)
}

/// Whether a sign is never read: numbers of footnotes, marks of trade.
pub(super) fn is_silent(sign: char) -> bool {
    "¹⁰⁴⁵⁶⁷⁸⁹™℠®©".contains(sign)
}

/// The names of a currency: one, and its hundredth.
pub(super) fn currency(sign: char) -> Option<(&'static str, &'static str)> {
    match sign {
        '$' => Some(("dollars|dollar", "cents|cent")),
        '€' => Some(("euros|euro", "cents|cent")),
        '£' => Some(("pounds|pound", "pence|penny")),
        '¥' => Some(("yen", "sen")),
        '₹' => Some(("rupees|rupee", "paise")),
        _ => None,
    }
}

type Table = &'static [(&'static str, &'static [&'static str])];

fn find(table: Table, key: &str) -> Option<&'static [&'static str]> {
    table
        .iter()
        .find_map(|&(found, words)| (found == key).then_some(words))
}

const ABBREVIATIONS: Table = &[
    ("mr", &["mister"]),
    ("mrs", &["missus", "misses"]),
    ("ms", &["miz"]),
    ("dr", &["doctor", "drive"]),
    ("prof", &["professor"]),
    ("st", &["saint", "street"]),
    ("ave", &["avenue"]),
    ("rd", &["road"]),
    ("blvd", &["boulevard"]),
    ("jr", &["junior"]),
    ("sr", &["senior"]),
    ("gen", &["general"]),
    ("capt", &["captain"]),
    ("lt", &["lieutenant"]),
    ("sgt", &["sergeant"]),
    ("rev", &["reverend"]),
    ("hon", &["honorable"]),
    ("gov", &["governor"]),
    ("sen", &["senator"]),
    ("rep", &["representative"]),
    ("no", &["number"]),
    ("nos", &["numbers"]),
    ("vol", &["volume"]),
    ("fig", &["figure"]),
    ("ch", &["chapter"]),
    ("pp", &["pages"]),
    ("vs", &["versus"]),
    ("etc", &["et cetera"]),
    ("approx", &["approximately"]),
    ("dept", &["department"]),
    ("inc", &["incorporated"]),
    ("corp", &["corporation"]),
    ("ltd", &["limited"]),
    ("co", &["company"]),
    ("est", &["established", "estimated"]),
    ("govt", &["government"]),
    ("mt", &["mount"]),
    ("ft", &["fort", "feet"]),
    ("jan", &["january"]),
    ("feb", &["february"]),
    ("mar", &["march"]),
    ("apr", &["april"]),
    ("jun", &["june"]),
    ("jul", &["july"]),
    ("aug", &["august"]),
    ("sep", &["september"]),
    ("sept", &["september"]),
    ("oct", &["october"]),
    ("nov", &["november"]),
    ("dec", &["december"]),
    ("mon", &["monday"]),
    ("tue", &["tuesday"]),
    ("tues", &["tuesday"]),
    ("wed", &["wednesday"]),
    ("thu", &["thursday"]),
    ("thurs", &["thursday"]),
    ("fri", &["friday"]),
    ("sat", &["saturday"]),
    ("sun", &["sunday"]),
    ("e.g", &["for example"]),
    ("i.e", &["that is"]),
];

const UNITS: Table = &[
    ("km", &["kilometers", "kilometer"]),
    ("m", &["meters", "meter", "million", "minutes"]),
    ("cm", &["centimeters", "centimeter"]),
    ("mm", &["millimeters", "millimeter"]),
    ("mi", &["miles", "mile"]),
    ("ft", &["feet", "foot"]),
    ("in", &["inches", "inch"]),
    ("yd", &["yards", "yard"]),
    ("kg", &["kilograms", "kilogram"]),
    ("g", &["grams", "gram"]),
    ("mg", &["milligrams", "milligram"]),
    ("lb", &["pounds", "pound"]),
    ("lbs", &["pounds"]),
    ("oz", &["ounces", "ounce"]),
    ("l", &["liters", "liter"]),
    ("ml", &["milliliters", "milliliter"]),
    ("h", &["hours", "hour"]),
    ("hr", &["hours", "hour"]),
    ("hrs", &["hours"]),
    ("min", &["minutes", "minute"]),
    ("mins", &["minutes"]),
    ("s", &["seconds", "second"]),
    ("sec", &["seconds", "second"]),
    ("secs", &["seconds"]),
    ("ms", &["milliseconds", "millisecond"]),
    ("mph", &["miles per hour"]),
    ("kph", &["kilometers per hour"]),
    ("kmh", &["kilometers per hour"]),
    ("hz", &["hertz"]),
    ("khz", &["kilohertz"]),
    ("mhz", &["megahertz"]),
    ("ghz", &["gigahertz"]),
    ("kb", &["kilobytes", "kilobyte"]),
    ("mb", &["megabytes", "megabyte"]),
    ("gb", &["gigabytes", "gigabyte"]),
    ("tb", &["terabytes", "terabyte"]),
    ("w", &["watts", "watt"]),
    ("kw", &["kilowatts", "kilowatt"]),
    ("v", &["volts", "volt"]),
    ("k", &["thousand"]),
    ("bn", &["billion"]),
    ("c", &["celsius", "centigrade"]),
    ("f", &["fahrenheit"]),
    ("am", &["a m"]),
    ("pm", &["p m"]),
];

const SIGNS: &[(char, &str)] = &[
    ('@', "at"),
    ('&', "and|ampersand"),
    ('%', "percent"),
    ('+', "plus|and"),
    ('=', "equals|is|equal"),
    ('<', "less"),
    ('>', "greater"),
    ('#', "number|hash|pound|hashtag|sharp"),
    ('°', "degrees|degree"),
    ('.', "dot|point|period|-"),
    (',', "comma|-"),
    ('/', "slash|per|over|by|or|and|-"),
    ('\\', "backslash|-"),
    ('-', "dash|minus|hyphen|to|-"),
    ('–', "dash|minus|to|-"),
    ('−', "minus|-"),
    ('_', "underscore|-"),
    (':', "colon|to|-"),
    ('*', "star|asterisk|times|-"),
    ('×', "times|by|x|-"),
    ('÷', "divided"),
    ('~', "tilde|about|-"),
    ('^', "caret|-"),
    ('|', "bar|-"),
    ('½', "half|and a half|one half"),
    ('¼', "quarter|a quarter|and a quarter|one quarter"),
    ('¾', "three quarters|and three quarters"),
    ('²', "squared|-"),
    ('³', "cubed|-"),
    ('$', "dollar|dollars|-"),
    ('€', "euro|euros|-"),
    ('£', "pound|pounds|-"),
];
