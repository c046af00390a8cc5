//! Weights for Winograd's algorithm.

use super::super::factors::{FactorKernel, Factors, Format};
use super::super::panels::{Panels, WeightLayout};
use super::super::scratch::{SharedMut, for_each_task};
use super::super::simd::{Level, MAX_LANES, Vector};
use super::Plan;
use super::transforms::Scheme;
use std::marker::PhantomData;

impl<S: Scheme<TILE, SPAN>, F: Format, const TILE: usize, const SPAN: usize>
    Plan<S, F, TILE, SPAN>
{
    /// The transformed weight: rows `[point][in_channel]`, as many as share a slot in one,
    /// columns `out_channel`.
    pub(in super::super) fn transform_weights(
        weight: &[f32],
        layout: WeightLayout,
        level: Level,
    ) -> Panels {
        assert_eq!(layout.taps, 9);
        assert_eq!(weight.len(), 9 * layout.rows * layout.columns);
        let slots = F::slots(layout.rows);
        let mut panels = Panels::zeroed(Self::POINTS * slots, layout.columns, level.lanes());
        let shared = SharedMut::new(panels.data_mut());
        let flops = (weight.len() * 40) as u64;
        for_each_task(slots, flops, |row| {
            let kernel = WeightRow::<S, F, TILE, SPAN> {
                scheme: PhantomData,
                weight,
                layout,
                row,
                panels: shared.get(),
            };
            // SAFETY: the level is supported; tasks write different rows.
            unsafe { F::run(level, kernel) }
        });
        panels
    }
}

/// One row of slots of the weight.
struct WeightRow<'a, S, F, const TILE: usize, const SPAN: usize> {
    scheme: PhantomData<(S, F)>,
    weight: &'a [f32],
    layout: WeightLayout,
    row: usize,
    panels: *mut f32,
}

impl<S: Scheme<TILE, SPAN>, F: Format, const TILE: usize, const SPAN: usize> FactorKernel<F>
    for WeightRow<'_, S, F, TILE, SPAN>
{
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self)
    where
        F: Factors<V>,
    {
        let l = self.layout;
        let pitch = l.columns.next_multiple_of(V::LANES);
        let slots = F::slots(l.rows);
        for first in (0..l.columns).step_by(V::LANES) {
            let panel = first / (2 * V::LANES) * (2 * V::LANES);
            let width = (pitch - panel).min(2 * V::LANES);
            // SAFETY: `Panels` has this layout; rows and columns are inside.
            let dst = unsafe {
                let panel_start = panel * SPAN * SPAN * slots;
                self.panels
                    .add(panel_start + self.row * width + first - panel)
            };
            for n in 0..F::PER_SLOT {
                let channel = self.row * F::PER_SLOT + n;
                let mut taps = [[0.0f32; MAX_LANES]; 9];
                // What of the last slot is no channel stays 0.
                let lanes = if channel < l.rows {
                    l.columns - first
                } else {
                    0
                };
                for lane in 0..V::LANES.min(lanes) {
                    let at = l.offset(channel, first + lane);
                    for (t, &value) in self.weight[at..at + 9].iter().enumerate() {
                        taps[if l.turned { 8 - t } else { t }][lane] = value;
                    }
                }
                // SAFETY: as above.
                unsafe {
                    let zero = V::splat(0.0);
                    let mut half = [[zero; 3]; SPAN];
                    for x in 0..3 {
                        let t = S::weight([
                            V::load(taps[x].as_ptr()),
                            V::load(taps[3 + x].as_ptr()),
                            V::load(taps[6 + x].as_ptr()),
                        ]);
                        for i in 0..SPAN {
                            half[i][x] = t[i];
                        }
                    }
                    for (i, half) in half.into_iter().enumerate() {
                        for (j, value) in S::weight(half).into_iter().enumerate() {
                            let row = dst.add((i * SPAN + j) * slots * width);
                            F::store_across(value, row, n);
                        }
                    }
                }
            }
        }
    }
}
