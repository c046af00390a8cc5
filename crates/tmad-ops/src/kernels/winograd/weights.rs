//! Weights for Winograd's algorithm.

use super::super::panels::{Panels, WeightLayout};
use super::super::scratch::{SharedMut, for_each_task};
use super::super::simd::{Kernel, Level, MAX_LANES, Vector};
use super::Plan;
use super::transforms::Scheme;
use std::marker::PhantomData;

impl<S: Scheme<TILE, SPAN>, const TILE: usize, const SPAN: usize> Plan<S, TILE, SPAN> {
    /// The transformed weight: rows `[point][in_channel]`, columns `out_channel`.
    pub(in super::super) fn transform_weights(
        weight: &[f32],
        layout: WeightLayout,
        level: Level,
    ) -> Panels {
        assert_eq!(layout.taps, 9);
        assert_eq!(weight.len(), 9 * layout.rows * layout.columns);
        let rows = Self::POINTS * layout.rows;
        let mut panels = Panels::zeroed(rows, layout.columns, level.lanes());
        let shared = SharedMut::new(panels.data_mut());
        let flops = (weight.len() * 40) as u64;
        for_each_task(layout.rows, flops, |row| {
            let kernel = WeightRow::<S, TILE, SPAN> {
                scheme: PhantomData,
                weight,
                layout,
                row,
                panels: shared.get(),
            };
            // SAFETY: the level is supported; tasks write different rows.
            unsafe { level.run(kernel) }
        });
        panels
    }
}

/// One row of channels of the weight.
struct WeightRow<'a, S, const TILE: usize, const SPAN: usize> {
    scheme: PhantomData<S>,
    weight: &'a [f32],
    layout: WeightLayout,
    row: usize,
    panels: *mut f32,
}

impl<S: Scheme<TILE, SPAN>, const TILE: usize, const SPAN: usize> Kernel
    for WeightRow<'_, S, TILE, SPAN>
{
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let l = self.layout;
        let pitch = l.columns.next_multiple_of(V::LANES);
        for first in (0..l.columns).step_by(V::LANES) {
            let mut taps = [[0.0f32; MAX_LANES]; 9];
            for lane in 0..V::LANES.min(l.columns - first) {
                let at = l.offset(self.row, first + lane);
                for (t, &value) in self.weight[at..at + 9].iter().enumerate() {
                    taps[if l.turned { 8 - t } else { t }][lane] = value;
                }
            }
            // SAFETY: `Panels` has this layout; rows and columns are inside.
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
                let panel = first / (2 * V::LANES) * (2 * V::LANES);
                let width = (pitch - panel).min(2 * V::LANES);
                let dst = self
                    .panels
                    .add(panel * SPAN * SPAN * l.rows + first - panel);
                for (i, half) in half.into_iter().enumerate() {
                    for (j, value) in S::weight(half).into_iter().enumerate() {
                        value.store(dst.add(((i * SPAN + j) * l.rows + self.row) * width));
                    }
                }
            }
        }
    }
}
