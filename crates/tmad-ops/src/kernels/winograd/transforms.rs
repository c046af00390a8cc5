//! The transforms of Winograd's algorithms.
//!
//! Each function transforms one axis; applied to rows and to columns they do both.

use super::super::simd::Vector;
use super::{SPAN, TILE};

/// A 3-tap convolution along one axis as products of transformed inputs and weights, by tiles of
/// `TILE` outputs, which read `SPAN` inputs and take as many products.
pub(in super::super) trait Scheme<const TILE: usize, const SPAN: usize>:
    Sync
{
    /// Inputs from one output to the next.
    const STRIDE: usize;

    /// Inputs to the factors of the products.
    ///
    /// # Safety
    /// The CPU has `V`.
    unsafe fn input<V: Vector>(d: [V; SPAN]) -> [V; SPAN];

    /// Products to outputs.
    ///
    /// # Safety
    /// The CPU has `V`.
    unsafe fn output<V: Vector>(m: [V; SPAN]) -> [V; TILE];

    /// Weights to the factors of the products.
    ///
    /// # Safety
    /// The CPU has `V`.
    unsafe fn weight<V: Vector>(g: [V; 3]) -> [V; SPAN];
}

/// A [`Scheme`] of stride 1 with the transforms for the gradient of the weight.
pub(in super::super) trait Adjoint: Scheme<TILE, SPAN> {
    /// The adjoint of [`Scheme::output`].
    ///
    /// # Safety
    /// The CPU has `V`.
    unsafe fn gradient<V: Vector>(g: [V; TILE]) -> [V; SPAN];

    /// The adjoint of [`Scheme::weight`].
    ///
    /// # Safety
    /// The CPU has `V`.
    unsafe fn weight_gradient<V: Vector>(u: [V; SPAN]) -> [V; 3];
}

/// F(4, 3) for the points 0, ±1, ±2 and ∞, the cheapest to transform.
pub(in super::super) struct Dense;

impl Scheme<TILE, SPAN> for Dense {
    const STRIDE: usize = 1;

    #[inline(always)]
    unsafe fn input<V: Vector>(d: [V; SPAN]) -> [V; SPAN] {
        // SAFETY: existing vectors prove the instruction set.
        let (four, minus_four, minus_five) =
            unsafe { (V::splat(4.0), V::splat(-4.0), V::splat(-5.0)) };
        let a = d[4].add_mul(d[2], minus_four);
        let b = d[3].add_mul(d[1], minus_four);
        let e = d[4].sub(d[2]);
        let f = d[3].sub(d[1]);
        let f = f.add(f);
        [
            d[4].add_mul(d[0], four).add_mul(d[2], minus_five),
            a.add(b),
            a.sub(b),
            e.add(f),
            e.sub(f),
            d[5].add_mul(d[1], four).add_mul(d[3], minus_five),
        ]
    }

    #[inline(always)]
    unsafe fn output<V: Vector>(m: [V; SPAN]) -> [V; TILE] {
        // SAFETY: existing vectors prove the instruction set.
        let (two, four, eight) = unsafe { (V::splat(2.0), V::splat(4.0), V::splat(8.0)) };
        let (s1, d1) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (s2, d2) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(s1).add(s2),
            d1.add_mul(d2, two),
            s1.add_mul(s2, four),
            d1.add(m[5]).add_mul(d2, eight),
        ]
    }

    #[inline(always)]
    unsafe fn weight<V: Vector>(g: [V; 3]) -> [V; SPAN] {
        // SAFETY: existing vectors prove the instruction set.
        let (quarter, sixth) = unsafe { (V::splat(1.0 / 4.0), V::splat(1.0 / 6.0)) };
        // SAFETY: as above.
        let (twelfth, twenty_fourth) = unsafe { (V::splat(1.0 / 12.0), V::splat(1.0 / 24.0)) };
        let outer = g[0].add(g[2]).mul(sixth);
        let middle = g[1].mul(sixth);
        let wide = g[0].mul(twenty_fourth).add_mul(g[2], sixth);
        let half = g[1].mul(twelfth);
        // SAFETY: as above.
        let zero = unsafe { V::splat(0.0) };
        [
            g[0].mul(quarter),
            zero.sub(outer.add(middle)),
            middle.sub(outer),
            wide.add(half),
            wide.sub(half),
            g[2],
        ]
    }
}

/// Stride 2: inputs at even places meet the outer two weights, by F(4, 2) for the points 0, ±1, 2
/// and ∞; those at odd places meet the middle one, where nothing can be saved. 9 products for 4
/// outputs instead of 12.
pub(in super::super) struct Strided;

impl Scheme<4, 9> for Strided {
    const STRIDE: usize = 2;

    #[inline(always)]
    unsafe fn input<V: Vector>(d: [V; 9]) -> [V; 9] {
        let (e0, e1, e2, e3, e4) = (d[0], d[2], d[4], d[6], d[8]);
        // SAFETY: existing vectors prove the instruction set.
        let (two, minus_two, minus_three) =
            unsafe { (V::splat(2.0), V::splat(-2.0), V::splat(-3.0)) };
        let a = e3.sub(e1);
        let b = e3.sub(e2);
        [
            a.add_mul(e0.sub(e2), two),
            b.add_mul(e1, minus_two),
            e3.add_mul(e1, two).add_mul(e2, minus_three),
            a,
            e4.sub(e2).add_mul(a, minus_two),
            d[1],
            d[3],
            d[5],
            d[7],
        ]
    }

    #[inline(always)]
    unsafe fn output<V: Vector>(m: [V; 9]) -> [V; 4] {
        // SAFETY: existing vectors prove the instruction set.
        let (two, four, eight) = unsafe { (V::splat(2.0), V::splat(4.0), V::splat(8.0)) };
        let (sum, difference) = (m[1].add(m[2]), m[1].sub(m[2]));
        [
            m[0].add(m[5]).add(sum).add(m[3]),
            m[6].add(difference).add_mul(m[3], two),
            m[7].add(sum).add_mul(m[3], four),
            m[4].add(m[8]).add(difference).add_mul(m[3], eight),
        ]
    }

    #[inline(always)]
    unsafe fn weight<V: Vector>(g: [V; 3]) -> [V; 9] {
        // SAFETY: existing vectors prove the instruction set.
        let (half, minus_half) = unsafe { (V::splat(0.5), V::splat(-0.5)) };
        // SAFETY: as above.
        let (sixth, two) = unsafe { (V::splat(1.0 / 6.0), V::splat(2.0)) };
        [
            g[0].mul(half),
            g[0].add(g[2]).mul(minus_half),
            g[2].sub(g[0]).mul(sixth),
            g[0].add_mul(g[2], two).mul(sixth),
            g[2],
            g[1],
            g[1],
            g[1],
            g[1],
        ]
    }
}

impl Adjoint for Dense {
    #[inline(always)]
    unsafe fn gradient<V: Vector>(g: [V; TILE]) -> [V; SPAN] {
        // SAFETY: existing vectors prove the instruction set.
        let (two, four, eight) = unsafe { (V::splat(2.0), V::splat(4.0), V::splat(8.0)) };
        let (even, odd) = (g[0].add(g[2]), g[1].add(g[3]));
        let wide_even = g[0].add_mul(g[2], four);
        let wide_odd = g[1].mul(two).add_mul(g[3], eight);
        [
            g[0],
            even.add(odd),
            even.sub(odd),
            wide_even.add(wide_odd),
            wide_even.sub(wide_odd),
            g[3],
        ]
    }

    #[inline(always)]
    unsafe fn weight_gradient<V: Vector>(u: [V; SPAN]) -> [V; 3] {
        // SAFETY: existing vectors prove the instruction set.
        let (quarter, sixth) = unsafe { (V::splat(1.0 / 4.0), V::splat(1.0 / 6.0)) };
        // SAFETY: as above.
        let (twelfth, twenty_fourth) = unsafe { (V::splat(1.0 / 12.0), V::splat(1.0 / 24.0)) };
        let (near, near_odd) = (u[1].add(u[2]), u[2].sub(u[1]));
        let (far, far_odd) = (u[3].add(u[4]), u[3].sub(u[4]));
        [
            u[0].mul(quarter)
                .sub(near.mul(sixth))
                .add_mul(far, twenty_fourth),
            near_odd.mul(sixth).add_mul(far_odd, twelfth),
            far.sub(near).mul(sixth).add(u[5]),
        ]
    }
}

/// A constant.
#[inline(always)]
fn c<V: Vector>(value: f32) -> V {
    // SAFETY: transforms are given vectors, whose existence proves the instruction set.
    unsafe { V::splat(value) }
}

/// F(4, 3) for the points 0, ±⅔, ±1½ and ∞: of all ±a and ±b nearly those that amplify rounding
/// least. The rounding of factors reaches outputs 4.8 times amplified, as a root mean square over
/// independent errors, and 6.8 times at worst, where [`Dense`] would amplify it 10.8 and 31 times.
pub(in super::super) struct Balanced;

impl Balanced {
    /// Points, their squares and cubes.
    const A: f32 = 2.0 / 3.0;
    const B: f32 = 3.0 / 2.0;
    const A2: f32 = 4.0 / 9.0;
    const B2: f32 = 9.0 / 4.0;
    const A3: f32 = 8.0 / 27.0;
    const B3: f32 = 27.0 / 8.0;
    /// The polynomial with the points as zeros has the slopes 1 at 0, 1 / NEAR at ±a and 1 / FAR
    /// at ±b.
    const NEAR: f32 = 1.0 / (2.0 * Self::A2 * (Self::A2 - Self::B2));
    const FAR: f32 = 1.0 / (2.0 * Self::B2 * (Self::B2 - Self::A2));
}

impl Scheme<TILE, SPAN> for Balanced {
    const STRIDE: usize = 1;

    #[inline(always)]
    unsafe fn input<V: Vector>(d: [V; SPAN]) -> [V; SPAN] {
        let (minus_a2, minus_b2) = (c(-Self::A2), c(-Self::B2));
        let both = c(-(Self::A2 + Self::B2));
        let near = d[4].add_mul(d[2], minus_b2);
        let near_odd = d[3].add_mul(d[1], minus_b2).mul(c(Self::A));
        let far = d[4].add_mul(d[2], minus_a2);
        let far_odd = d[3].add_mul(d[1], minus_a2).mul(c(Self::B));
        [
            d[4].add(d[0]).add_mul(d[2], both),
            near.add(near_odd),
            near.sub(near_odd),
            far.add(far_odd),
            far.sub(far_odd),
            d[5].add(d[1]).add_mul(d[3], both),
        ]
    }

    #[inline(always)]
    unsafe fn output<V: Vector>(m: [V; SPAN]) -> [V; TILE] {
        let (s1, d1) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (s2, d2) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(s1).add(s2),
            d1.mul(c(Self::A)).add_mul(d2, c(Self::B)),
            s1.mul(c(Self::A2)).add_mul(s2, c(Self::B2)),
            m[5].add_mul(d1, c(Self::A3)).add_mul(d2, c(Self::B3)),
        ]
    }

    #[inline(always)]
    unsafe fn weight<V: Vector>(g: [V; 3]) -> [V; SPAN] {
        let near = g[0].add_mul(g[2], c(Self::A2)).mul(c(Self::NEAR));
        let near_odd = g[1].mul(c(Self::A * Self::NEAR));
        let far = g[0].add_mul(g[2], c(Self::B2)).mul(c(Self::FAR));
        let far_odd = g[1].mul(c(Self::B * Self::FAR));
        [
            g[0],
            near.add(near_odd),
            near.sub(near_odd),
            far.add(far_odd),
            far.sub(far_odd),
            g[2],
        ]
    }
}

impl Adjoint for Balanced {
    #[inline(always)]
    unsafe fn gradient<V: Vector>(g: [V; TILE]) -> [V; SPAN] {
        let near = g[0].add_mul(g[2], c(Self::A2));
        let near_odd = g[1].mul(c(Self::A)).add_mul(g[3], c(Self::A3));
        let far = g[0].add_mul(g[2], c(Self::B2));
        let far_odd = g[1].mul(c(Self::B)).add_mul(g[3], c(Self::B3));
        [
            g[0],
            near.add(near_odd),
            near.sub(near_odd),
            far.add(far_odd),
            far.sub(far_odd),
            g[3],
        ]
    }

    #[inline(always)]
    unsafe fn weight_gradient<V: Vector>(u: [V; SPAN]) -> [V; 3] {
        let near = u[1].add(u[2]).mul(c(Self::NEAR));
        let near_odd = u[1].sub(u[2]).mul(c(Self::A * Self::NEAR));
        let far = u[3].add(u[4]).mul(c(Self::FAR));
        let far_odd = u[3].sub(u[4]).mul(c(Self::B * Self::FAR));
        [
            u[0].add(near).add(far),
            near_odd.add(far_odd),
            u[5].add_mul(near, c(Self::A2)).add_mul(far, c(Self::B2)),
        ]
    }
}
