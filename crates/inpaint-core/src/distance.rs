//! Exact Euclidean distance transform in integers.

/// Squared distance, in pixels, of every pixel to the nearest pixel for which
/// `is_site` holds; `u64::MAX` everywhere when there is no such pixel.
///
/// Linear in the number of pixels (Meijster, Roerdink and Hesselink, *A
/// general algorithm for computing distance transforms in linear time*, 2000).
///
/// # Shapes
///
/// Row-major, `width * height` entries.
pub(crate) fn squared_distance(
    width: usize,
    height: usize,
    is_site: impl Fn(usize) -> bool,
) -> Vec<u64> {
    let none = u64::MAX;
    let mut squared = vec![none; width * height];
    if width == 0 || height == 0 {
        return squared;
    }
    // Distance along the column.
    for x in 0..width {
        let mut last = None;
        for y in 0..height {
            if is_site(y * width + x) {
                last = Some(y);
            }
            if let Some(site) = last {
                squared[y * width + x] = ((y - site) as u64).pow(2);
            }
        }
        let mut last = None;
        for y in (0..height).rev() {
            if is_site(y * width + x) {
                last = Some(y);
            }
            if let Some(site) = last {
                let d = ((site - y) as u64).pow(2);
                squared[y * width + x] = squared[y * width + x].min(d);
            }
        }
    }
    // Lower envelope of the parabolas of each row.
    let mut envelope: Vec<(i64, i64)> = Vec::with_capacity(width);
    let mut column = vec![none; width];
    for row in squared.chunks_exact_mut(width) {
        column.copy_from_slice(row);
        envelope.clear();
        let value = |x: i64, site: i64| (x - site).pow(2) + column[site as usize] as i64;
        for site in 0..width as i64 {
            if column[site as usize] == none {
                continue;
            }
            while let Some(&(last, from)) = envelope.last() {
                if value(from, last) > value(from, site) {
                    envelope.pop();
                } else {
                    break;
                }
            }
            let from = match envelope.last() {
                None => 0,
                Some(&(last, _)) => {
                    let top = site * site - last * last + column[site as usize] as i64
                        - column[last as usize] as i64;
                    1 + top.div_euclid(2 * (site - last))
                }
            };
            if from < width as i64 {
                envelope.push((site, from));
            }
        }
        let mut until = width as i64;
        for &(site, from) in envelope.iter().rev() {
            for x in from..until {
                row[x as usize] = value(x, site) as u64;
            }
            until = from;
        }
    }
    squared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn agrees_with_brute_force() {
        for (seed, (width, height)) in [(1, 1), (7, 5), (1, 9), (9, 1), (23, 17), (16, 16)]
            .into_iter()
            .enumerate()
        {
            let mut random = Random::new(seed as u64);
            let sites: Vec<bool> = (0..width * height).map(|_| random.below(12) == 0).collect();
            let fast = squared_distance(width, height, |i| sites[i]);
            for (i, &found) in fast.iter().enumerate() {
                let slow = (0..width * height)
                    .filter(|&j| sites[j])
                    .map(|j| {
                        let dx = (i % width).abs_diff(j % width) as u64;
                        let dy = (i / width).abs_diff(j / width) as u64;
                        dx * dx + dy * dy
                    })
                    .min();
                assert_eq!(found, slow.unwrap_or(u64::MAX), "pixel {i}");
            }
        }
    }
}
