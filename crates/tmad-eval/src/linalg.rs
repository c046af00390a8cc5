//! The little linear algebra that distances between sets of features need: symmetric matrices of
//! some thousand rows.

use rayon::prelude::*;

/// A square matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Square {
    pub side: usize,
    pub values: Vec<f64>,
}

impl Square {
    pub fn zeros(side: usize) -> Self {
        Self {
            side,
            values: vec![0.0; side * side],
        }
    }

    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.side..(i + 1) * self.side]
    }

    pub fn trace(&self) -> f64 {
        (0..self.side).map(|i| self.row(i)[i]).sum()
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Several sums at once: one chain of additions would wait for each of them.
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = (a8.remainder().iter().zip(b8.remainder()))
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a8.zip(b8) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// L with A = L·Lᵀ for a symmetric positive semidefinite A, as rows of Lᵀ: as many as A has rank.
///
/// Cholesky's decomposition that takes the largest remaining diagonal element first, and ends
/// where rounding begins.
pub(crate) fn factor(mut a: Square) -> Vec<Vec<f64>> {
    let n = a.side;
    let largest = |a: &Square| {
        (0..n)
            .map(|i| (i, a.values[i * n + i]))
            .max_by(|x, y| x.1.total_cmp(&y.1))
    };
    let tolerance = n as f64 * f64::EPSILON * largest(&a).map_or(0.0, |(_, value)| value);
    let mut rows = Vec::new();
    while let Some((pivot, value)) = largest(&a) {
        if value <= tolerance || rows.len() == n {
            break;
        }
        let scale = value.sqrt();
        let row: Vec<f64> = a.row(pivot).iter().map(|v| v / scale).collect();
        (a.values.par_chunks_exact_mut(n).zip(&row)).for_each(|(a, &factor)| {
            if factor != 0.0 {
                a.iter_mut().zip(&row).for_each(|(a, v)| *a -= factor * v);
            }
        });
        // What is left of them is rounding; the next steps must not see it.
        a.values[pivot * n..(pivot + 1) * n].fill(0.0);
        (0..n).for_each(|i| a.values[i * n + pivot] = 0.0);
        rows.push(row);
    }
    rows
}

/// Eigenvalues of a symmetric matrix, in no particular order: Householder's reduction to three
/// diagonals, then the QL method with implicit shifts (Golub and Van Loan, *Matrix Computations*,
/// sections 8.3 and 8.3.3).
pub(crate) fn eigenvalues(mut a: Square) -> Vec<f64> {
    let (mut diagonal, mut beside) = tridiagonal(&mut a);
    ql(&mut diagonal, &mut beside);
    diagonal
}

/// Diagonal and the elements beside it, of which the last is 0.
fn tridiagonal(a: &mut Square) -> (Vec<f64>, Vec<f64>) {
    let n = a.side;
    let mut beside = vec![0.0; n];
    // Step k makes column k zero below its second element.
    for (k, beside) in beside.iter_mut().enumerate().take(n.saturating_sub(2)) {
        let first = k + 1;
        let mut v: Vec<f64> = a.row(k)[first..].to_vec();
        let length = dot(&v, &v).sqrt();
        let alpha = if v[0] > 0.0 { -length } else { length };
        *beside = alpha;
        v[0] -= alpha;
        let squared = dot(&v, &v);
        if squared == 0.0 {
            continue;
        }
        let factor = 2.0 / squared;
        let rest = &mut a.values[first * n..];
        let mut p: Vec<f64> = (rest.par_chunks_exact(n))
            .map(|row| factor * dot(&row[first..], &v))
            .collect();
        let shift = 0.5 * factor * dot(&p, &v);
        p.iter_mut().zip(&v).for_each(|(p, v)| *p -= shift * v);
        let updates = rest.par_chunks_exact_mut(n).zip(v.par_iter().zip(&p));
        updates.for_each(|(row, (&v_i, &p_i))| {
            let others = v.iter().zip(&p);
            for (value, (v_j, p_j)) in row[first..].iter_mut().zip(others) {
                *value -= v_i * p_j + p_i * v_j;
            }
        });
    }
    if n >= 2 {
        beside[n - 2] = a.row(n - 2)[n - 1];
    }
    ((0..n).map(|i| a.row(i)[i]).collect(), beside)
}

fn ql(d: &mut [f64], e: &mut [f64]) {
    let n = d.len();
    for l in 0..n {
        // Two or three steps are usual; the bound ends what NaN would keep going.
        for _ in 0..50 {
            let small = |m: &usize| e[*m].abs() <= f64::EPSILON * (d[*m].abs() + d[*m + 1].abs());
            let m = (l..n - 1).find(small).unwrap_or(n - 1);
            if m == l {
                break;
            }
            let g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let r = g.hypot(1.0);
            let mut g = d[m] - d[l] + e[l] / (g + r.copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut is_split = false;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    is_split = true;
                    break;
                }
                s = f / r;
                c = g / r;
                g = d[i + 1] - p;
                let r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
            }
            if !is_split {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inpaint_core::random::Random;

    /// B·Bᵀ for a random B of `rank` columns.
    fn gram(side: usize, rank: usize) -> Square {
        let mut random = Random::new(5);
        let b: Vec<Vec<f64>> = (0..side)
            .map(|_| (0..rank).map(|_| random.normal()).collect())
            .collect();
        let mut a = Square::zeros(side);
        for i in 0..side {
            for j in 0..side {
                a.values[i * side + j] = dot(&b[i], &b[j]);
            }
        }
        a
    }

    #[test]
    fn eigenvalues_of_known_matrices() {
        // [[2, 1], [1, 2]] has 1 and 3; the second difference has 2 − 2 cos(kπ/(n + 1)).
        let small = Square {
            side: 2,
            values: vec![2.0, 1.0, 1.0, 2.0],
        };
        let mut values = eigenvalues(small);
        values.sort_by(f64::total_cmp);
        assert!((values[0] - 1.0).abs() < 1e-14 && (values[1] - 3.0).abs() < 1e-14);
        let n = 60;
        let mut second = Square::zeros(n);
        for i in 0..n {
            second.values[i * n + i] = 2.0;
            if i + 1 < n {
                second.values[i * n + i + 1] = -1.0;
                second.values[(i + 1) * n + i] = -1.0;
            }
        }
        let mut values = eigenvalues(second);
        values.sort_by(f64::total_cmp);
        for (k, value) in (1..).zip(values) {
            let angle = f64::from(k) * std::f64::consts::PI / (n as f64 + 1.0);
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-13);
        }
        assert_eq!(
            eigenvalues(Square {
                side: 1,
                values: vec![7.0]
            }),
            [7.0]
        );
        assert!(eigenvalues(Square::zeros(0)).is_empty());
    }

    #[test]
    fn eigenvalues_keep_trace_and_square_sum_and_show_the_rank() {
        let a = gram(40, 7);
        let squares: f64 = a.values.iter().map(|v| v * v).sum();
        let trace = a.trace();
        let values = eigenvalues(a);
        let sum: f64 = values.iter().sum();
        assert!((sum - trace).abs() < 1e-11 * trace);
        let sum: f64 = values.iter().map(|v| v * v).sum();
        assert!((sum - squares).abs() < 1e-11 * squares);
        let large = values.iter().filter(|v| v.abs() > 1e-9 * trace).count();
        assert_eq!(large, 7);
    }

    #[test]
    fn a_factor_has_the_rank_and_gives_the_matrix_back() {
        for rank in [3, 30] {
            let a = gram(30, rank);
            let rows = factor(a.clone());
            assert_eq!(rows.len(), rank);
            for i in 0..30 {
                for j in 0..30 {
                    let sum: f64 = rows.iter().map(|row| row[i] * row[j]).sum();
                    assert!((sum - a.row(i)[j]).abs() < 1e-11);
                }
            }
        }
        assert!(factor(Square::zeros(4)).is_empty());
    }
}
