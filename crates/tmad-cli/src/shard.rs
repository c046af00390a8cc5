//! Spreading a folder over many runs: every picture belongs to exactly one of them.

use std::env;
use std::str::FromStr;

/// One of several runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    index: u64,
    count: u64,
}

impl Shard {
    /// Whether this run is the one for a picture. It depends on the picture's name alone, so runs
    /// that start at different times agree, even where pictures are still being added.
    pub fn holds(&self, name: &str) -> bool {
        // FNV-1a, and a last mixing because the remainder looks at the low bits.
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (hash >> 32) % self.count == self.index
    }

    fn new(index: u64, count: u64) -> Result<Self, String> {
        if count == 0 || index >= count {
            let last = count.saturating_sub(1);
            return Err(format!(
                "shard {index} of {count}; the first is 0, the last {last}"
            ));
        }
        Ok(Self { index, count })
    }

    fn from_schedulers(
        count: Option<u64>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let number = |name: &str| -> Result<Option<u64>, String> {
            let Some(value) = variable(name) else {
                return Ok(None);
            };
            let number = value.parse();
            number
                .map_err(|_| format!("{name} is “{value}”, no number"))
                .map(Some)
        };
        // Kubernetes does not tell its jobs how many there are.
        if let Some(index) = number("JOB_COMPLETION_INDEX")? {
            let count = count.ok_or(
                "JOB_COMPLETION_INDEX has no count beside it; give it, as in --shard auto/8",
            )?;
            return Self::new(index, count);
        }
        if let Some(index) = number("SLURM_ARRAY_TASK_ID")? {
            let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
            let count = match count {
                Some(count) => count,
                None => number("SLURM_ARRAY_TASK_COUNT")?
                    .ok_or("SLURM_ARRAY_TASK_COUNT is not set; give it, as in --shard auto/8")?,
            };
            let index = index.checked_sub(first);
            let index = index.ok_or("SLURM_ARRAY_TASK_ID is below SLURM_ARRAY_TASK_MIN")?;
            return Self::new(index, count);
        }
        Err("auto needs JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID; \
             outside such jobs give --shard I/N"
            .to_owned())
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let variable = |name: &str| env::var(name).ok();
        let usage = || "give I/N with I from 0 to N−1, auto/N, or auto".to_owned();
        let number = |text: &str| text.parse().map_err(|_| usage());
        match text.split_once('/') {
            None if text == "auto" => Self::from_schedulers(None, variable),
            None => Err(usage()),
            Some(("auto", count)) => Self::from_schedulers(Some(number(count)?), variable),
            Some((index, count)) => Self::new(number(index)?, number(count)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(count: Option<u64>, variables: &[(&str, &str)]) -> Result<Shard, String> {
        Shard::from_schedulers(count, |name| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn every_picture_belongs_to_one_shard_and_none_has_far_too_many() {
        let shards: Vec<Shard> = (0..7).map(|i| Shard::new(i, 7).unwrap()).collect();
        let mut sizes = [0; 7];
        for i in 0..7000 {
            let name = format!("IMG_{i:04}.jpg");
            let holders: Vec<usize> = (0..7).filter(|&k| shards[k].holds(&name)).collect();
            assert_eq!(holders.len(), 1);
            sizes[holders[0]] += 1;
        }
        assert!(
            sizes.iter().all(|size| (850..1150).contains(size)),
            "{sizes:?}"
        );
    }

    #[test]
    fn schedulers_tell_the_index() {
        assert_eq!("2/5".parse(), Shard::new(2, 5));
        let kubernetes = [("JOB_COMPLETION_INDEX", "3")];
        assert_eq!(auto(Some(8), &kubernetes), Shard::new(3, 8));
        assert!(
            auto(None, &kubernetes)
                .unwrap_err()
                .contains("--shard auto/8")
        );
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "5"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_COUNT", "5"),
        ];
        assert_eq!(auto(None, &slurm), Shard::new(4, 5));
        assert!(
            auto(None, &[])
                .unwrap_err()
                .contains("JOB_COMPLETION_INDEX")
        );
        for wrong in ["5/5", "0/0", "1", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
