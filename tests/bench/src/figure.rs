//! Figures: samples, their median, and the line that shows them.
//!
//! Decides nothing about what was measured, and asserts nothing: an aim that was missed is a word on a line.

use crate::Outcome;
use crate::bed::Bed;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Bytes,
}

/// What is aimed at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// Times the yardstick.
    Ratio(f64),
    /// An amount in the figure's unit, whatever the yardstick needs.
    AtMost(f64),
    /// None was set.
    None,
}

/// Values that were measured, one per round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle one; the mean of the two in the middle if there are as many above as below. 0 if there is none.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => 0.0,
            length if length % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    fn range(&self) -> (f64, f64) {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(0.0, f64::max);
        (least, most)
    }

    /// Median, least and most, such as `12.3 ms (11.9..14.0)`.
    fn show(&self, unit: Unit) -> String {
        if self.0.is_empty() {
            return "-".to_owned();
        }
        let (least, most) = self.range();
        let (scale, name) = unit.scale(self.median());
        format!(
            "{} {name} ({}..{})",
            digits(self.median() / scale),
            digits(least / scale),
            digits(most / scale)
        )
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Unit {
    /// What a number of about this size is divided by, and what it is called then.
    fn scale(self, number: f64) -> (f64, &'static str) {
        match self {
            Self::Seconds if number >= 1.0 => (1.0, "s"),
            Self::Seconds if number >= 1e-3 => (1e-3, "ms"),
            Self::Seconds => (1e-6, "us"),
            Self::Bytes if number >= 1_048_576.0 => (1_048_576.0, "MiB"),
            Self::Bytes => (1024.0, "KiB"),
        }
    }
}

/// Three digits that count.
fn digits(number: f64) -> String {
    let places = match number {
        number if number >= 99.95 => 0,
        number if number >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.places$}")
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) ours: Samples,
    /// Empty if there is nothing to compare with.
    pub(crate) yardstick: Samples,
    pub(crate) aim: Aim,
}

impl Figure {
    /// How many times the yardstick.
    fn ratio(&self) -> Option<f64> {
        let yardstick = self.yardstick.median();
        (yardstick > 0.0).then(|| self.ours.median() / yardstick)
    }

    /// The aim, and whether it was met; nothing if none was set.
    fn verdict(&self) -> String {
        let (met, aim) = match (self.aim, self.ratio()) {
            (Aim::Ratio(most), Some(ratio)) => (ratio <= most, format!("at most {most}x")),
            (Aim::AtMost(most), _) => {
                let (scale, name) = self.unit.scale(most);
                let text = format!("at most {} {name}", digits(most / scale));
                (self.ours.median() <= most, text)
            }
            (Aim::None, _) | (Aim::Ratio(_), None) => return "-".to_owned(),
        };
        format!("{aim}: {}", if met { "met" } else { "missed" })
    }

    fn line(&self) -> String {
        let ratio = self
            .ratio()
            .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x"));
        columns(&[
            &self.name,
            &self.ours.show(self.unit),
            &self.yardstick.show(self.unit),
            &ratio,
            &self.verdict(),
        ])
    }
}

fn columns(texts: &[&str; 5]) -> String {
    let [name, ours, yardstick, ratio, aim] = texts;
    format!("{name:<47} {ours:<25} {yardstick:<25} {ratio:>6}  {aim}")
        .trim_end()
        .to_owned()
}

/// The output of a run.
#[derive(Debug)]
pub(crate) struct Report {
    figures: usize,
    missing: usize,
}

impl Report {
    /// Prints how it is measured.
    pub(crate) fn begin() -> Self {
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        println!("On {cpus} CPUs.");
        println!(
            "Median (least..most) of several rounds; rounds of ours and of the yardstick alternate."
        );
        Self {
            figures: 0,
            missing: 0,
        }
    }

    /// Prints which daemon is measured from here on.
    pub(crate) fn bed(&self, bed: &Bed) {
        println!("\n{}, over a dbus-daemon of its own.", bed.daemon_version());
    }

    /// Begins a part, saying what the yardstick is.
    pub(crate) fn part(&self, title: &str, yardstick: &str) {
        println!("\n{title}\nYardstick: {yardstick}");
        println!("{}", columns(&["", "ours", "yardstick", "ratio", "aim"]));
    }

    /// Prints a figure.
    pub(crate) fn figure(&mut self, figure: &Figure) {
        self.figures += 1;
        println!("{}", figure.line());
    }

    /// Says that a part could not be measured, or not to its end.
    pub(crate) fn missing(&mut self, part: &str, reason: &str) {
        self.missing += 1;
        println!("\n{part}: not measured: {reason}");
    }

    /// Ends the run.
    ///
    /// # Errors
    /// If something could not be measured.
    pub(crate) fn end(self) -> Outcome<()> {
        println!("\n{} figures", self.figures);
        match self.missing {
            0 => Ok(()),
            parts => Err(format!("{parts} parts could not be measured").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(ours: &[f64], yardstick: &[f64], aim: Aim) -> Figure {
        Figure {
            name: "GetState".to_owned(),
            unit: Unit::Seconds,
            ours: ours.iter().copied().collect(),
            yardstick: yardstick.iter().copied().collect(),
            aim,
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(
            [3.0, 1.0, 2.0].into_iter().collect::<Samples>().median(),
            2.0
        );
        assert_eq!(
            [4.0, 1.0, 2.0, 3.0]
                .into_iter()
                .collect::<Samples>()
                .median(),
            2.5
        );
        assert_eq!(Samples::default().median(), 0.0);
    }

    #[test]
    fn a_line_shows_the_ratio_and_the_aim() {
        let line = figure(
            &[60e-6, 62e-6, 61e-6],
            &[50e-6, 50e-6, 50e-6],
            Aim::Ratio(1.5),
        )
        .line();
        assert!(line.contains("61.0 us (60.0..62.0)"), "{line}");
        assert!(line.contains("1.22x  at most 1.5x: met"), "{line}");
        let line = figure(&[0.04], &[0.01], Aim::AtMost(0.03)).line();
        assert!(line.ends_with("4.00x  at most 30.0 ms: missed"), "{line}");
        let line = figure(&[0.04], &[], Aim::None).line();
        assert!(line.ends_with("-  -"), "{line}");
    }

    #[test]
    fn numbers_have_three_digits() {
        let shown = [1.234, 12.34, 123.4, 0.0].map(digits);
        assert_eq!(shown, ["1.23", "12.3", "123", "0.00"]);
    }
}
