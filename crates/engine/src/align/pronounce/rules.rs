//! Letter rules: from spelling to the sounds that it may stand for.

use std::collections::HashMap;

use super::super::{lattice::Sound, phone::Phone};

/// Rules of one way of spelling, by the first letter of their patterns.
#[derive(Debug)]
pub(super) struct Rules(HashMap<char, Vec<Rule>>);

#[derive(Debug)]
struct Rule {
    letters: Vec<char>,
    at_start: bool,
    at_end: bool,
    /// Letters of which one must follow.
    before: Vec<char>,
    /// At least one.
    readings: Vec<Vec<Sound>>,
}

impl Rules {
    /// Reads rules; `english.rules` tells their form. `None` if a line has another.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rules: HashMap<char, Vec<Rule>> = HashMap::new();
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let rule = Rule::parse(line)?;
            rules.entry(*rule.letters.first()?).or_default().push(rule);
        }
        for rules in rules.values_mut() {
            rules.sort_by_key(|rule| std::cmp::Reverse(rule.specificity()));
        }
        Some(Self(rules))
    }

    /// Whether there is a rule that begins with this letter.
    pub(super) fn know(&self, letter: char) -> bool {
        self.0.contains_key(&letter)
    }

    /// The sounds of a word in lower case; of a doubled letter one, unless a rule says otherwise.
    pub(super) fn read(&self, word: &str) -> Vec<Sound> {
        let letters: Vec<char> = word.chars().collect();
        let mut sounds = Vec::new();
        let mut at = 0;
        while at < letters.len() {
            let rule = self.rule_at(&letters, at);
            let length = rule.map_or(1, |rule| rule.letters.len());
            let is_doubled = length == 1 && letters.get(at + 1) == Some(&letters[at]);
            match rule {
                None => sounds.push(Sound::Any),
                Some(_) if is_doubled => {}
                Some(rule) => sounds.extend(rule.sounds()),
            }
            at += length;
        }
        sounds
    }

    fn rule_at(&self, letters: &[char], at: usize) -> Option<&Rule> {
        self.0
            .get(&letters[at])?
            .iter()
            .find(|rule| rule.fits(letters, at))
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        let (pattern, readings) = line.split_once(' ')?;
        let (pattern, before) = match pattern.strip_suffix(')') {
            Some(pattern) => pattern.split_once('(')?,
            None => (pattern, ""),
        };
        let letters = pattern.trim_start_matches('^').trim_end_matches('$');
        let readings: Option<Vec<_>> = readings.split('|').map(reading).collect();
        Some(Self {
            letters: letters.chars().collect(),
            at_start: pattern.starts_with('^'),
            at_end: pattern.ends_with('$'),
            before: before.chars().collect(),
            readings: readings?,
        })
    }

    /// Rules with more letters go first, and with equal letters those with more conditions.
    fn specificity(&self) -> usize {
        4 * self.letters.len()
            + usize::from(self.at_start)
            + usize::from(self.at_end)
            + usize::from(!self.before.is_empty())
    }

    fn fits(&self, letters: &[char], at: usize) -> bool {
        let end = at + self.letters.len();
        letters[at..].starts_with(&self.letters)
            && (!self.at_start || at == 0)
            && (!self.at_end || end == letters.len())
            && (self.before.is_empty()
                || letters
                    .get(end)
                    .is_some_and(|letter| self.before.contains(letter)))
    }

    fn sounds(&self) -> Vec<Sound> {
        match self.readings.as_slice() {
            [reading] => reading.clone(),
            readings => vec![Sound::Choice(readings.to_vec())],
        }
    }
}

/// Phones separated by blanks, or `-` for none.
fn reading(text: &str) -> Option<Vec<Sound>> {
    match text.trim() {
        "-" => Some(Vec::new()),
        phones => phones
            .split_whitespace()
            .map(|symbol| Phone::parse(symbol).map(Sound::Phone))
            .collect(),
    }
}
