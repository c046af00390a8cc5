//! Telea's fast marching method (*An Image Inpainting Technique Based on the Fast Marching
//! Method*, Journal of Graphics Tools 9, 2004): known colours are carried inwards along straight
//! lines. Fast, and blurred; the baseline of thin scratches.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::distance::squared_distance;
use crate::{Control, InpaintError, Inpainter, Mask, RgbImage, check_sizes};

/// Levels by which a pixel may differ from the mean of those that it comes from. On the Kodak
/// pictures 1 is as good on scratches as 0.5 and 1.4 and better than 3; in holes of 80 px every
/// further level costs a third of a decibel.
const MAX_SLOPE: f32 = 1.0;

/// The method with its one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telea {
    /// Known pixels up to this far away make a new one (the paper's ε, 3 to 10). Default 5.
    pub radius_px: u32,
}

impl Default for Telea {
    fn default() -> Self {
        Self { radius_px: 5 }
    }
}

impl Inpainter for Telea {
    fn name(&self) -> &str {
        "telea"
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        check_sizes(image, mask)?;
        if !(1..=100).contains(&self.radius_px) {
            return Err(InpaintError::Setting {
                name: "radius_px",
                value: self.radius_px.to_string(),
                allowed: "1 to 100",
            });
        }
        if mask.is_empty() {
            return Ok(image.clone());
        }
        if mask.is_full() {
            return Err(InpaintError::NoKnownPixels {
                size: mask.dimensions().into(),
            });
        }
        let is_hole = |at: usize| mask.as_bytes()[at] != 0;
        let (width, height) = (mask.width() as usize, mask.height() as usize);
        let mut march = March::new(width, height, is_hole);
        // Known pixels have negative times: how far they lie from the rim, on which the time is 0.
        let distances = squared_distance(width, height, is_hole);
        for (at, squared) in distances.into_iter().enumerate() {
            if !is_hole(at) {
                march.times[at] = 1.0 - (squared as f32).sqrt();
            }
        }
        let mut filling = Filling {
            colours: image.pixels().map(|p| p.0.map(f32::from)).collect(),
            result: image.clone(),
            radius: self.radius_px as i32,
        };
        let total = mask.hole_area() as f32;
        let mut done = 0;
        while let Some(at) = march.next() {
            if done % 4096 == 0 {
                control.check_cancelled()?;
                control.report(done as f32 / total, "filling");
            }
            filling.fill(at, &march);
            march.pass(at);
            done += 1;
        }
        control.report(1.0, "filling");
        Ok(filling.result)
    }
}

/// A front that moves inwards from the border of an area, pixel by pixel in the order of its
/// arrival: the solution of |∇T| = 1.
struct March {
    width: usize,
    height: usize,
    /// Arrival; infinite where the front has not been.
    times: Vec<f32>,
    is_open: Vec<bool>,
    /// Times are not negative, so that their bits are in their order; ties in the order of pixels.
    front: BinaryHeap<Reverse<(u32, usize)>>,
}

impl March {
    /// `is_inside` says by index which pixels the front crosses. The others have time 0.
    fn new(width: usize, height: usize, is_inside: impl Fn(usize) -> bool) -> Self {
        let is_open: Vec<bool> = (0..width * height).map(is_inside).collect();
        let mut march = Self {
            times: (is_open.iter())
                .map(|&open| if open { f32::INFINITY } else { 0.0 })
                .collect(),
            is_open,
            width,
            height,
            front: BinaryHeap::new(),
        };
        for at in 0..width * height {
            if march.is_open[at] && march.neighbours(at).any(|other| !march.is_open[other]) {
                march.offer(at);
            }
        }
        march
    }

    /// The pixel that the front reaches next. It counts as known from [`Self::pass`] on, when it
    /// has its colour: before, nobody may look at what is in the hole.
    fn next(&mut self) -> Option<usize> {
        loop {
            let Reverse((bits, at)) = self.front.pop()?;
            // A pixel is offered again whenever a neighbour makes it earlier.
            if !self.is_open[at] || f32::from_bits(bits) > self.times[at] {
                continue;
            }
            return Some(at);
        }
    }

    /// Moves the front over a pixel.
    fn pass(&mut self, at: usize) {
        self.is_open[at] = false;
        for other in self.neighbours(at) {
            if self.is_open[other] {
                self.offer(other);
            }
        }
    }

    fn offer(&mut self, at: usize) {
        let (x, y) = (at % self.width, at / self.width);
        let reached = |inside: bool, other: usize| -> Option<f32> {
            // Known pixels have 0 or less; the front starts from them at 0.
            (inside && !self.is_open[other]).then(|| self.times[other].max(0.0))
        };
        let earlier = |a: Option<f32>, b: Option<f32>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            _ => a.or(b),
        };
        let beside = earlier(
            reached(x > 0, at.wrapping_sub(1)),
            reached(x + 1 < self.width, at + 1),
        );
        let above = earlier(
            reached(y > 0, at.wrapping_sub(self.width)),
            reached(y + 1 < self.height, at + self.width),
        );
        let time = match (beside, above) {
            (Some(a), Some(b)) if (a - b).abs() < 1.0 => {
                0.5 * (a + b + (2.0 - (a - b).powi(2)).sqrt())
            }
            (Some(a), Some(b)) => a.min(b) + 1.0,
            (Some(a), None) | (None, Some(a)) => a + 1.0,
            (None, None) => return,
        };
        if time < self.times[at] {
            self.times[at] = time;
            self.front.push(Reverse((time.to_bits(), at)));
        }
    }

    fn neighbours(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let (width, height) = (self.width, self.height);
        let (x, y) = (at % width, at / width);
        [
            (x > 0).then(|| at - 1),
            (x + 1 < width).then(|| at + 1),
            (y > 0).then(|| at - width),
            (y + 1 < height).then(|| at + width),
        ]
        .into_iter()
        .flatten()
    }

    /// Half the difference of the reached neighbours along an axis, or the whole one where one is
    /// missing. `start` and `end` say whether the neighbours at −`step` and +`step` exist.
    fn slope<const N: usize>(
        &self,
        at: usize,
        step: usize,
        start: bool,
        end: bool,
        value: impl Fn(usize) -> [f32; N],
    ) -> [f32; N] {
        let has = |exists: bool, other: usize| exists && !self.is_open[other];
        let before = has(start, at.wrapping_sub(step)).then(|| value(at - step));
        let after = has(end, at + step).then(|| value(at + step));
        let (before, after, factor) = match (before, after) {
            (Some(before), Some(after)) => (before, after, 0.5),
            (Some(before), None) => (before, value(at), 1.0),
            (None, Some(after)) => (value(at), after, 1.0),
            (None, None) => return [0.0; N],
        };
        std::array::from_fn(|i| factor * (after[i] - before[i]))
    }

    /// Horizontal and vertical slope of a quantity at a pixel.
    fn gradient<const N: usize>(
        &self,
        at: usize,
        value: impl Fn(usize) -> [f32; N],
    ) -> [[f32; N]; 2] {
        let (x, y) = (at % self.width, at / self.width);
        [
            self.slope(at, 1, x > 0, x + 1 < self.width, &value),
            self.slope(at, self.width, y > 0, y + 1 < self.height, &value),
        ]
    }
}

struct Filling {
    colours: Vec<[f32; 3]>,
    result: RgbImage,
    radius: i32,
}

impl Filling {
    /// The mean of the known pixels around, each continued by its slope, weighted as in section
    /// 2.3 of the paper. Followed in full, as equation (2) has them, slopes run away in holes of
    /// this project's size, so they count with [`MAX_SLOPE`] at most. (The published code and
    /// OpenCV take any slope by its direction, with a length of one level: that turns a faint
    /// gradient into a steep one.)
    fn fill(&mut self, at: usize, march: &March) {
        let (width, height) = (march.width as i32, march.height as i32);
        let (x, y) = (at as i32 % width, at as i32 / width);
        let [[normal_x], [normal_y]] = march.gradient(at, |other| [march.times[other]]);
        let mut sum = [0.0f32; 3];
        let mut slopes = [[0.0f32; 3]; 2];
        let mut total = 0.0f32;
        for v in (y - self.radius).max(0)..=(y + self.radius).min(height - 1) {
            for u in (x - self.radius).max(0)..=(x + self.radius).min(width - 1) {
                let other = (v * width + u) as usize;
                let (dx, dy) = ((x - u) as f32, (y - v) as f32);
                let squared = dx * dx + dy * dy;
                let is_far = squared > (self.radius * self.radius) as f32;
                if is_far || squared == 0.0 || march.is_open[other] {
                    continue;
                }
                // Along the normal, near, and on the same level of T count most.
                let direction = ((dx * normal_x + dy * normal_y).abs() / squared.sqrt()).max(1e-6);
                let level = 1.0 / (1.0 + (march.times[other] - march.times[at]).abs());
                let weight = direction * level / (squared * squared.sqrt());
                let [slope_x, slope_y] = march.gradient(other, |i| self.colours[i]);
                for c in [0, 1, 2] {
                    sum[c] += weight * self.colours[other][c];
                    slopes[0][c] += weight * slope_x[c] * dx;
                    slopes[1][c] += weight * slope_y[c] * dy;
                }
                total += weight;
            }
        }
        // A pixel that the front has reached has a known neighbour, so total is not 0.
        let colour: [f32; 3] = std::array::from_fn(|c| {
            let slope = (slopes[0][c] + slopes[1][c]) / total;
            (sum[c] / total + slope.clamp(-MAX_SLOPE, MAX_SLOPE)).clamp(0.0, 255.0)
        });
        self.colours[at] = colour;
        let pixel = image::Rgb(colour.map(|value| value.round() as u8));
        self.result.put_pixel(x as u32, y as u32, pixel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rect;
    use image::Rgb;

    fn hole(width: u32, height: u32, [x, y, w, h]: [u32; 4]) -> Mask {
        let rect = Rect {
            x,
            y,
            width: w,
            height: h,
        };
        Mask::rectangle(width, height, rect)
    }

    fn fill(image: &RgbImage, mask: &Mask) -> RgbImage {
        (Telea::default().inpaint(image, mask, &Control::default())).unwrap()
    }

    #[test]
    fn the_front_arrives_in_the_order_of_distance() {
        let mask = hole(9, 9, [0, 2, 9, 5]);
        let mut march = March::new(9, 9, |at| mask.as_bytes()[at] != 0);
        let mut last = 0.0;
        let mut count = 0;
        while let Some(at) = march.next() {
            assert!(march.times[at] >= last);
            last = march.times[at];
            march.pass(at);
            count += 1;
        }
        assert_eq!(count, 45);
        // The middle row of five lies three steps from either side.
        assert_eq!(march.times[4 * 9 + 4], 3.0);
    }

    #[test]
    fn surfaces_go_on_and_meet_in_the_middle() {
        let plain = RgbImage::from_pixel(30, 20, Rgb([12, 200, 90]));
        let mask = hole(30, 20, [8, 5, 12, 9]);
        assert_eq!(fill(&plain, &mask), plain);
        let mask = hole(30, 20, [8, 0, 14, 20]);
        let halves = RgbImage::from_fn(30, 20, |x, _| Rgb([if x < 15 { 40 } else { 160 }; 3]));
        let filled = fill(&halves, &mask);
        // The front reaches the middle from either side at once, and not before.
        for (x, _, pixel) in filled.enumerate_pixels() {
            let expected = if x < 15 { 40..=43 } else { 157..=160 };
            let is_middle = (12..18).contains(&x);
            assert!(is_middle || expected.contains(&pixel[0]), "{x}: {pixel:?}");
            assert!((38..=162).contains(&pixel[0]));
        }
    }

    #[test]
    fn the_contract_of_inpainters_holds() {
        let image = RgbImage::from_fn(23, 17, |x, y| Rgb([(x * 37 % 251) as u8, y as u8 * 9, 7]));
        for rect in [[0, 0, 1, 1], [0, 0, 23, 16], [20, 3, 3, 14], [5, 5, 6, 4]] {
            let mask = hole(23, 17, rect);
            let filled = fill(&image, &mask);
            assert_eq!(filled, crate::composite(&image, &filled, &mask).unwrap());
        }
        assert_eq!(fill(&image, &Mask::new(23, 17)), image);
        let method = Telea::default();
        let control = Control::default();
        let full = method.inpaint(&image, &Mask::new(23, 17).inverted(), &control);
        assert!(matches!(full, Err(InpaintError::NoKnownPixels { .. })));
        let other = method.inpaint(&image, &Mask::new(17, 23), &control);
        assert!(matches!(other, Err(InpaintError::MaskSize { .. })));
        let none = Telea { radius_px: 0 }.inpaint(&image, &Mask::new(23, 17), &control);
        assert!(matches!(none, Err(InpaintError::Setting { .. })));
        control.cancel();
        let stopped = method.inpaint(&image, &hole(23, 17, [5, 5, 6, 4]), &control);
        assert!(matches!(stopped, Err(InpaintError::Cancelled)));
        let empty = RgbImage::new(0, 0);
        assert_eq!(fill(&empty, &Mask::new(0, 0)), empty);
    }
}
