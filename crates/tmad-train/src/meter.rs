//! What the steps between two reports amount to.

use crate::adversary::Named;
use crate::config::StageConfig;
use crate::run::{Event, TrainError};
use std::time::{Duration, Instant};

/// What a step leaves on the device to be read later.
pub(crate) struct Measured {
    /// Loss terms.
    pub losses: Named,
    /// Other values.
    pub news: Named,
}

/// Sums up values on the device and time on the clock between two reports.
pub(crate) struct Meter {
    losses: Named,
    news: Named,
    num_steps: u64,
    since: Instant,
    batch_size: usize,
    steps: u64,
}

impl Meter {
    /// Starts the clock.
    pub fn new(stage: &StageConfig) -> Self {
        Self {
            losses: Named::new(),
            news: Named::new(),
            num_steps: 0,
            since: Instant::now(),
            batch_size: stage.batch_size,
            steps: stage.iterations,
        }
    }

    /// Adds a step.
    pub fn add(&mut self, measured: Measured) {
        self.num_steps += 1;
        add_up(&mut self.losses, measured.losses);
        add_up(&mut self.news, measured.news);
    }

    /// The means since the last report.
    ///
    /// # Errors
    ///
    /// [`TrainError::NotFinite`] if the losses are no numbers any more.
    pub fn event(
        &mut self,
        stage: usize,
        step: u64,
        learning_rate: f64,
    ) -> Result<Event, TrainError> {
        let count = self.num_steps as f64;
        let read = |sums: Named| -> Vec<(String, f64)> {
            (sums.into_iter())
                .map(|(name, sum)| (name.to_owned(), f64::from(sum.into_scalar::<f32>()) / count))
                .collect()
        };
        let mut losses = read(std::mem::take(&mut self.losses));
        let news = read(std::mem::take(&mut self.news));
        let total = losses.iter().map(|(_, value)| value).sum::<f64>();
        let everything = total + news.iter().map(|(_, value)| value).sum::<f64>();
        if !everything.is_finite() {
            return Err(TrainError::NotFinite {
                stage,
                step,
                value: everything,
            });
        }
        losses.push(("total".to_owned(), total));
        let seconds = self
            .since
            .elapsed()
            .max(Duration::from_millis(1))
            .as_secs_f64()
            / count;
        self.num_steps = 0;
        self.since = Instant::now();
        Ok(Event::Step {
            stage,
            step,
            steps: self.steps,
            losses,
            news,
            learning_rate,
            pictures_per_second: self.batch_size as f64 / seconds,
            seconds_left: seconds * (self.steps - step) as f64,
        })
    }
}

/// Adds values to sums of the same names.
pub(crate) fn add_up(sums: &mut Named, values: Named) {
    for (name, value) in values {
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.clone() + value,
            None => sums.push((name, value)),
        }
    }
}
