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
        if let Some(id) = number("SLURM_ARRAY_TASK_ID")? {
            let min = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
            let max = number("SLURM_ARRAY_TASK_MAX")?;
            let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1);
            let num_tasks = number("SLURM_ARRAY_TASK_COUNT")?;
            let count = (count.or(num_tasks))
                .ok_or("SLURM_ARRAY_TASK_COUNT is not set; give it, as in --shard auto/8")?;
            let array = SlurmArray {
                id,
                min,
                max,
                step,
                num_tasks,
            };
            let index = array.index().filter(|&index| index < count);
            return Self::new(index.ok_or_else(|| array.refusal(count))?, count);
        }
        Err("auto needs JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID; \
             outside such jobs give --shard I/N"
            .to_owned())
    }
}

/// What Slurm says about an array of tasks.
struct SlurmArray {
    id: u64,
    min: u64,
    max: Option<u64>,
    step: u64,
    num_tasks: Option<u64>,
}

impl SlurmArray {
    /// How many tasks come before this one; `None` if the numbers do not tell: of a list such as
    /// 1,4,9 Slurm names only the ends, and tasks that guess would leave pictures out.
    fn index(&self) -> Option<u64> {
        if let (Some(max), Some(num_tasks)) = (self.max, self.num_tasks)
            // The end of a range need not be one of its tasks' numbers, as in 0-10:4.
            && (max.checked_sub(self.min)?.checked_div(self.step)?).checked_add(1)? != num_tasks
        {
            return None;
        }
        let distance = self.id.checked_sub(self.min)?;
        let is_one_of_them = distance.checked_rem(self.step)? == 0;
        is_one_of_them.then(|| distance / self.step)
    }

    fn refusal(&self, count: u64) -> String {
        let Self { id, min, step, .. } = self;
        let max = self.max.map_or("not set".to_owned(), |max| max.to_string());
        format!(
            "SLURM_ARRAY_TASK_ID is {id}, SLURM_ARRAY_TASK_MIN {min}, SLURM_ARRAY_TASK_MAX {max}, \
             SLURM_ARRAY_TASK_STEP {step}, which makes no shard of {count}; irregular array lists \
             (--array=1,4,9) cannot be used; give --shard I/N instead"
        )
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
        assert_eq!(auto(Some(7), &slurm), Shard::new(4, 7));
        assert!(
            auto(None, &[])
                .unwrap_err()
                .contains("JOB_COMPLETION_INDEX")
        );
        for wrong in ["5/5", "0/0", "1", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
    /// The shard of every task of `--array`, as Slurm sets the variables for it.
    fn of_array(ids: &[u64], max: u64, step: u64) -> Vec<Result<Shard, String>> {
        let shard = |id: &u64| {
            let text = |name, number: u64| (name, number.to_string());
            let variables = [
                text("SLURM_ARRAY_TASK_ID", *id),
                text("SLURM_ARRAY_TASK_MIN", ids[0]),
                text("SLURM_ARRAY_TASK_MAX", max),
                text("SLURM_ARRAY_TASK_STEP", step),
                text("SLURM_ARRAY_TASK_COUNT", ids.len() as u64),
            ];
            Shard::from_schedulers(None, |name| {
                let found = variables.iter().find(|(known, _)| *known == name)?;
                Some(found.1.clone())
            })
        };
        ids.iter().map(shard).collect()
    }

    #[test]
    fn arrays_with_steps_are_counted_and_irregular_ones_refused() {
        for (ids, max, step) in [
            (&[0, 1, 2, 3][..], 3, 1),
            (&[0, 4, 8], 8, 4),
            (&[1, 3, 5, 7], 7, 2),
            // --array=0-10:4
            (&[0, 4, 8], 10, 4),
            (&[6], 6, 1),
        ] {
            let count = ids.len() as u64;
            let expected: Vec<_> = (0..count).map(|i| Shard::new(i, count)).collect();
            assert_eq!(of_array(ids, max, step), expected, "{ids:?}");
        }
        for (ids, max, step) in [(&[1, 4, 9][..], 9, 1), (&[0, 1, 5], 5, 1), (&[0, 2], 2, 0)] {
            for refused in of_array(ids, max, step) {
                let refused = refused.unwrap_err();
                for words in [
                    "SLURM_ARRAY_TASK_MAX",
                    "irregular array lists",
                    "--shard I/N",
                ] {
                    assert!(refused.contains(words), "{refused}");
                }
            }
        }
        // Numbers that fit no range, whatever the others are.
        let odd = [
            ("SLURM_ARRAY_TASK_ID", "5"),
            ("SLURM_ARRAY_TASK_MIN", "0"),
            ("SLURM_ARRAY_TASK_STEP", "4"),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
        ];
        assert!(auto(None, &odd).unwrap_err().contains("irregular"));
        let beyond = [("SLURM_ARRAY_TASK_ID", "8")];
        assert!(auto(Some(8), &beyond).unwrap_err().contains("irregular"));
    }
}
