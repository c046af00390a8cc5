//! The transforms of F(4×4, 3×3), for the points 0, ±1, ±2 and ∞.
//!
//! Each function transforms one axis; applied to rows and to columns they do both.

use super::super::simd::Vector;
use super::{SPAN, TILE};

/// `Bᵀ · d`.
#[inline(always)]
pub(super) unsafe fn transform_input<V: Vector>(d: [V; SPAN]) -> [V; SPAN] {
    // SAFETY: existing vectors prove the instruction set.
    let (four, minus_four, minus_five) = unsafe { (V::splat(4.0), V::splat(-4.0), V::splat(-5.0)) };
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

/// `Aᵀ · m`.
#[inline(always)]
pub(super) unsafe fn transform_output<V: Vector>(m: [V; SPAN]) -> [V; TILE] {
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

/// `G · g`.
#[inline(always)]
pub(super) unsafe fn transform_weight<V: Vector>(g: [V; 3]) -> [V; SPAN] {
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

/// `A · g`, the adjoint of [`transform_output`].
#[inline(always)]
pub(super) unsafe fn transform_gradient<V: Vector>(g: [V; TILE]) -> [V; SPAN] {
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

/// `Gᵀ · u`, the adjoint of [`transform_weight`].
#[inline(always)]
pub(super) unsafe fn transform_weight_gradient<V: Vector>(u: [V; SPAN]) -> [V; 3] {
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
