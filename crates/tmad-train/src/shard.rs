//! Data-parallel training: a batch split among workers, one per device, whose gradients add up
//! to the whole batch's.
//!
//! Most losses are means over something that differs from picture to picture: pixels of the
//! hole, patches, pictures that have a hole. The mean of the workers' means would weigh a pixel
//! by how few others its worker has. So every worker's means are weighted by its [`Share`] of
//! what they are taken over, and the *sum* of all gradients is the gradient of the batch.
//!
//! Burn's collective operations (`burn::tensor::distributed`, which reduce gradients during the
//! backward pass) work on CUDA, through NCCL, and on remote devices only. For Flex, the CPU
//! device, and for LibTorch they panic: "Distributed operations are not supported for device".
//! So the same code could neither be tested without several NVIDIA cards nor run on the devices
//! that this project trains on. What is used here instead is what data-parallel training in Burn
//! is made of everywhere else:
//! copies of the networks for the workers,
//! [`GradientsParams::to_device`](burn::optim::GradientsParams::to_device) and
//! [`GradientsAccumulator`] for their gradients.

use crate::config::StageConfig;
use crate::data::{self, Sample};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Device;
use inpaint_core::Mask;
use tmad::model::{Inputs, Layout, Model};
use tmad::patches::Position;
use tmad_ops::Precision;

/// A worker's part of a batch.
#[derive(Debug, Clone)]
pub struct Shard<'a> {
    /// Its pictures and masks.
    pub inputs: Inputs<'a>,
    /// Their cells and windows; empty where only the coarse network is trained.
    pub layout: Layout,
    /// Number of its first picture in the batch.
    pub first: usize,
    /// What its losses weigh in the batch's.
    pub share: Share,
}

/// Fractions of a batch, by what loss terms are means over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Pictures.
    pub pictures: f64,
    /// Pictures that have cells.
    pub judged: f64,
    /// Cells.
    pub cells: f64,
    /// Pixels of the holes.
    pub hole: f64,
    /// Known pixels.
    pub known: f64,
    /// Pairs of neighbours that touch a hole: beside each other, and above each other.
    pub pairs: [f64; 2],
}

impl Share {
    /// Everything.
    pub const WHOLE: Self = Self {
        pictures: 1.0,
        judged: 1.0,
        cells: 1.0,
        hole: 1.0,
        known: 1.0,
        pairs: [1.0; 2],
    };

    /// The numbers themselves, of which a share is the quotient.
    fn counts(masks: &[&Mask], layout: &Layout) -> Self {
        let sum = |of: &dyn Fn(&Mask) -> usize| masks.iter().map(|m| of(m)).sum::<usize>() as f64;
        let judged = layout.cells.chunk_by(|a, b| a.image == b.image).count();
        Self {
            pictures: masks.len() as f64,
            judged: judged as f64,
            cells: layout.cells.len() as f64,
            hole: sum(&Mask::hole_area),
            known: sum(&|m| m.as_bytes().len() - m.hole_area()),
            pairs: [sum(&|m| pairs(m, 1, 0)), sum(&|m| pairs(m, 0, 1))],
        }
    }

    fn of(self, whole: Self) -> Self {
        // Of nothing, anything is a share.
        let share = |part: f64, whole: f64| part / whole.max(1.0);
        Self {
            pictures: share(self.pictures, whole.pictures),
            judged: share(self.judged, whole.judged),
            cells: share(self.cells, whole.cells),
            hole: share(self.hole, whole.hole),
            known: share(self.known, whole.known),
            pairs: [0, 1].map(|axis| share(self.pairs[axis], whole.pairs[axis])),
        }
    }
}

/// Pairs of pixels, `dx` and `dy` apart, of which one is in the hole.
fn pairs(mask: &Mask, dx: u32, dy: u32) -> usize {
    let (width, height) = mask.dimensions();
    let positions = (0..height - dy).flat_map(|y| (0..width - dx).map(move |x| (x, y)));
    positions
        .filter(|&(x, y)| mask.is_hole(x, y) || mask.is_hole(x + dx, y + dy))
        .count()
}

/// Splits a batch into one shard per device, as evenly as it goes; devices for which nothing is
/// left get none. `seed` chooses the windows of the texture memories, for a picture the same ones
/// however the batch is split.
///
/// # Panics
///
/// If there is no sample, or no device.
pub fn split<'a>(
    samples: &'a [Sample],
    model: &Model,
    stage: &StageConfig,
    devices: &[Device],
    seed: u64,
) -> Vec<Shard<'a>> {
    let masks: Vec<_> = samples.iter().map(|sample| &sample.mask).collect();
    let layout = if stage.networks.synthesise() {
        model.sampled_layout(&masks, seed)
    } else {
        Layout {
            cells: Vec::new(),
            windows: Vec::new(),
        }
    };
    let num_shards = devices.len().min(samples.len());
    if num_shards == 1 {
        return vec![Shard {
            inputs: data::inputs(samples, model.config(), &devices[0]),
            layout,
            first: 0,
            share: Share::WHOLE,
        }];
    }
    let whole = Share::counts(&masks, &layout);
    let start = |shard: usize| shard * samples.len() / num_shards;
    (devices.iter().take(num_shards).enumerate())
        .map(|(shard, device)| {
            let range = start(shard)..start(shard + 1);
            let layout = part(&layout, range.clone());
            let first = range.start;
            let inputs = data::inputs(&samples[range], model.config(), device);
            let share = Share::counts(&inputs.masks, &layout).of(whole);
            Shard {
                inputs,
                layout,
                first,
                share,
            }
        })
        .collect()
}

/// The layout of some of a batch's pictures.
fn part(layout: &Layout, pictures: std::ops::Range<usize>) -> Layout {
    let moved = |position: &Position| Position {
        image: position.image - pictures.start,
        ..*position
    };
    Layout {
        cells: (layout.cells.iter())
            .filter(|cell| pictures.contains(&cell.image))
            .map(moved)
            .collect(),
        windows: (layout.windows.iter().enumerate())
            .filter(|(image, _)| pictures.contains(image))
            .map(|(_, windows)| windows.iter().map(moved).collect())
            .collect(),
    }
}

/// A worker's copy of a network, with parameters that are leaves of a graph of their own.
///
/// As [`Module::fork`], but for the way: that one moves the parameters within their own graph
/// first, and what it leaves there is freed only when the parameter is replaced. Parameters that a
/// stage does not train never are, so that every step would make every later one slower.
pub(crate) fn copied_to<M: Module>(network: &M, device: &Device) -> M {
    let inner = device.clone().without_autodiff();
    network.valid().to_device(&inner).train()
}

/// `work` for every item, each on its own thread; the results keep the items' order.
///
/// # Panics
///
/// If `work` does.
pub fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if items.len() == 1 {
        return items.into_iter().map(work).collect();
    }
    let work = &work;
    let precision = Precision::current();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (items.into_iter())
            .map(|item| scope.spawn(move || precision.force(|| work(item))))
            .collect();
        (threads.into_iter())
            .map(|thread| (thread.join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// The sum of the workers' gradients on `device`, in the workers' order.
pub fn summed<M: Module>(
    module: &M,
    gradients: impl IntoIterator<Item = GradientsParams>,
    device: &Device,
) -> GradientsParams {
    let mut sum = GradientsAccumulator::new();
    for part in gradients {
        sum.accumulate(module, part.to_device(device, module));
    }
    sum.grads()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tensor;
    use std::time::{Duration, Instant};
    use tmad::model::ModelConfig;

    #[test]
    fn pairs_touch_the_hole() {
        // The corner pixel and one in the middle: 1 + 2 pairs beside each other, and as many
        // above each other.
        let mask = Mask::from_fn(4, 3, |x, y| (x, y) == (0, 0) || (x, y) == (2, 1));
        assert_eq!((pairs(&mask, 1, 0), pairs(&mask, 0, 1)), (3, 3));
    }

    #[test]
    fn shares_add_up_to_the_whole() {
        let masks = [
            Mask::from_fn(5, 4, |x, _| x < 2),
            Mask::new(5, 4),
            Mask::from_fn(5, 4, |x, y| x == y),
        ];
        let at = |image| Position { image, y: 0, x: 0 };
        let layout = Layout {
            cells: vec![at(0), at(0), at(2)],
            windows: vec![vec![at(0)], vec![at(1)], vec![at(2)]],
        };
        let masks: Vec<_> = masks.iter().collect();
        let whole = Share::counts(&masks, &layout);
        assert_eq!((whole.hole, whole.known, whole.judged), (12.0, 48.0, 2.0));
        let shares: Vec<_> = [0..1, 1..3]
            .map(|range| {
                let layout = part(&layout, range.clone());
                assert_eq!(
                    layout.windows[0][0].image, 0,
                    "counted from the shard's first"
                );
                Share::counts(&masks[range], &layout).of(whole)
            })
            .into();
        assert_eq!(shares[0].cells, 2.0 / 3.0);
        let sum = |of: fn(&Share) -> f64| shares.iter().map(of).sum::<f64>();
        for part in [
            sum(|s| s.pictures),
            sum(|s| s.judged),
            sum(|s| s.cells),
            sum(|s| s.hole),
            sum(|s| s.known),
            sum(|s| s.pairs[0]),
            sum(|s| s.pairs[1]),
        ] {
            assert!((part - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn results_keep_the_order_of_the_items() {
        let found = in_parallel((0..5u64).collect(), |i| {
            std::thread::sleep(std::time::Duration::from_millis(10 - 2 * i));
            i * i
        });
        assert_eq!(found, [0, 1, 4, 9, 16]);
    }

    /// A network of which one part is trained: what a step leaves behind for the others must not
    /// make later steps slower.
    #[test]
    fn steps_take_as_long_at_the_end_as_at_the_start() {
        let device = Device::flex().autodiff();
        let model = Model::new(&ModelConfig::default(), 1, &device);
        let shape = [1, 3, 32, 32];
        let mut durations: Vec<_> = (0..300)
            .map(|_| {
                let started = Instant::now();
                let copy = copied_to(&model, &device);
                let output = copy.theta.forward(Tensor::ones(shape, &device));
                let mut grads = output.mean().backward();
                let grads = GradientsParams::from_module(&mut grads, &copy.theta);
                assert!(!grads.is_empty());
                started.elapsed()
            })
            .collect();
        let fastest = |part: &[Duration]| *part.iter().min().expect("some steps");
        let late = fastest(&durations.split_off(270));
        let early = fastest(&durations[..30]);
        assert!(late < 4 * early, "{early:?} became {late:?}");
    }
}
