//! What was measured, side by side: medians over the rounds, and ratios taken within each round, because what
//! disturbs one server disturbs its neighbours in the same minute.

use std::fmt::Write as _;

/// What one run of one server showed.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Figures by name, in the order in which they are shown. The first is the one that ratios are of.
    pub figures: Vec<(&'static str, f64)>,
}

impl Sample {
    /// The same with one more figure.
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.figures.push((name, value));
        self
    }

    fn first(&self) -> f64 {
        self.figures.first().map_or(f64::NAN, |(_, value)| *value)
    }
}

/// The rounds of all servers: `rounds[r][t]` is what target `t` showed in round `r`.
pub fn table(names: &[&str], rounds: &[Vec<Sample>]) -> String {
    let mut text = String::new();
    let Some(shown) = rounds.first().and_then(|round| round.first()) else { return text };
    let cells = |values: Vec<String>| values.iter().map(|value| format!(" {value} |")).collect::<String>();
    let mut heads: Vec<String> = shown.figures.iter().map(|(name, _)| (*name).to_string()).collect();
    heads.push("least..most".to_string());
    heads.extend(names.iter().map(|name| format!("× {name}")));
    let line = "---|".repeat(heads.len() + 1);
    writeln!(text, "| |{}\n|{line}", cells(heads)).expect("memory takes any text");
    for (target, name) in names.iter().enumerate() {
        let column = |figure: usize| {
            rounds
                .iter()
                .filter_map(move |round| round[target].figures.get(figure).map(|(_, value)| *value))
                .collect::<Vec<_>>()
        };
        let mut values: Vec<String> =
            (0..shown.figures.len()).map(|figure| short(median(column(figure)))).collect();
        let firsts = column(0);
        let least = firsts.iter().copied().fold(f64::INFINITY, f64::min);
        let most = firsts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        values.push(format!("{}..{}", short(least), short(most)));
        values.extend((0..names.len()).map(|other| {
            let ratios = rounds.iter().map(|round| round[target].first() / round[other].first());
            format!("{:.2}", median(ratios.collect()))
        }));
        writeln!(text, "| {name} |{}", cells(values)).expect("memory takes any text");
    }
    text
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (odd, middle) if odd % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The value below which `share` of them lie.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share).ceil() as usize;
    values.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_medians_of_the_rounds_own_ratios() {
        let round =
            |ours, theirs| vec![Sample::default().with("µs", ours), Sample::default().with("µs", theirs)];
        let shown = table(&["a", "b"], &[round(1.0, 2.0), round(10.0, 40.0), round(6.0, 6.0)]);
        assert_eq!(
            shown,
            "| | µs | least..most | × a | × b |\n|---|---|---|---|---|\n\
             | a | 6.00 | 1.00..10.0 | 1.00 | 0.50 |\n| b | 6.00 | 2.00..40.0 | 2.00 | 1.00 |\n"
        );
    }

    #[test]
    fn a_quantile_is_a_value_that_was_seen() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!((quantile(&mut values, 0.5), quantile(&mut values, 0.99)), (50.0, 99.0));
        assert_eq!(median(values), 50.5);
    }
}
