//! The cheapest cut of a picture into two sides: maximum flow through its grid.

/// Steps to the neighbours of a pixel; the opposite of step `k` is step `7 - k`.
pub(super) const STEPS: [(i32, i32); 8] = [
    (-1, -1),
    (0, -1),
    (1, -1),
    (-1, 0),
    (1, 0),
    (-1, 1),
    (0, 1),
    (1, 1),
];
const NONE: u32 = u32::MAX;

/// Pixels that want to be on one side or the other, and neighbours that want to be on the same.
#[derive(Debug)]
pub(super) struct Grid {
    /// What is left of a pixel's wish: positive for the object, negative for the background.
    wishes: Vec<i32>,
    neighbours: Vec<[u32; 8]>,
    /// What is left of each bond, in this direction.
    bonds: Vec<[i32; 8]>,
    levels: Vec<u32>,
    /// The first step from each pixel that may still lead on.
    cursors: Vec<u8>,
}

impl Grid {
    /// Without bonds; each pixel's wish is what it costs to put it on the other side, positive for
    /// the object and negative for the background.
    pub(super) fn new(wishes: Vec<i32>) -> Self {
        let count = wishes.len();
        Self {
            wishes,
            neighbours: vec![[NONE; 8]; count],
            bonds: vec![[0; 8]; count],
            levels: vec![NONE; count],
            cursors: vec![0; count],
        }
    }

    /// Lets it cost `price` to part pixel `from` from pixel `to`, which lies a step away.
    pub(super) fn bind(&mut self, from: usize, step: usize, to: usize, price: i32) {
        self.neighbours[from][step] = to as u32;
        self.neighbours[to][7 - step] = from as u32;
        self.bonds[from][step] = price;
        self.bonds[to][7 - step] = price;
    }

    /// Cuts where it is cheapest; true is the object. Of equally cheap cuts it takes the one with
    /// the smallest object.
    ///
    /// Dinic, *Algorithm for solution of a problem of maximum flow in networks*, 1970.
    pub(super) fn cut(mut self) -> Vec<bool> {
        let mut path = Vec::new();
        while self.find_levels() {
            self.cursors.fill(0);
            for source in 0..self.wishes.len() {
                if self.wishes[source] > 0 {
                    self.send_from(source, &mut path);
                }
            }
        }
        self.levels.into_iter().map(|level| level != NONE).collect()
    }

    /// Counts the steps from the object to every pixel; whether it reaches the background.
    fn find_levels(&mut self) -> bool {
        self.levels.fill(NONE);
        let mut front: Vec<u32> = Vec::new();
        for (pixel, &wish) in self.wishes.iter().enumerate() {
            if wish > 0 {
                self.levels[pixel] = 0;
                front.push(pixel as u32);
            }
        }
        let mut reaches = false;
        let mut next = 0;
        while let Some(&pixel) = front.get(next) {
            next += 1;
            let pixel = pixel as usize;
            reaches |= self.wishes[pixel] < 0;
            for step in 0..8 {
                let to = self.neighbours[pixel][step];
                if self.bonds[pixel][step] > 0 && self.levels[to as usize] == NONE {
                    self.levels[to as usize] = self.levels[pixel] + 1;
                    front.push(to);
                }
            }
        }
        reaches
    }

    /// Sends what `source` has along shortest paths until none is left.
    fn send_from(&mut self, source: usize, path: &mut Vec<(usize, usize)>) {
        path.clear();
        let mut pixel = source;
        while self.wishes[source] > 0 {
            if self.wishes[pixel] < 0 {
                let narrowest = path
                    .iter()
                    .map(|&(from, step)| self.bonds[from][step])
                    .min();
                let amount = self.wishes[source]
                    .min(-self.wishes[pixel])
                    .min(narrowest.unwrap_or(i32::MAX));
                self.wishes[source] -= amount;
                self.wishes[pixel] += amount;
                let mut full = None;
                for (place, &(from, step)) in path.iter().enumerate() {
                    let to = self.neighbours[from][step] as usize;
                    self.bonds[from][step] -= amount;
                    self.bonds[to][7 - step] += amount;
                    if full.is_none() && self.bonds[from][step] == 0 {
                        full = Some(place);
                    }
                }
                if let Some(place) = full {
                    pixel = path[place].0;
                    path.truncate(place);
                }
                continue;
            }
            let step = (usize::from(self.cursors[pixel])..8).find(|&step| {
                self.bonds[pixel][step] > 0
                    && self.levels[self.neighbours[pixel][step] as usize]
                        == self.levels[pixel].wrapping_add(1)
            });
            if let Some(step) = step {
                self.cursors[pixel] = step as u8;
                path.push((pixel, step));
                pixel = self.neighbours[pixel][step] as usize;
            } else {
                // A dead end: nobody need come here again.
                self.cursors[pixel] = 8;
                let Some((from, _)) = path.pop() else { return };
                self.cursors[from] += 1;
                pixel = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// What a cut costs, from the definition.
    fn price(
        wishes: &[i32],
        bonds: &[(usize, usize, i32)],
        is_object: impl Fn(usize) -> bool,
    ) -> i32 {
        let wish = |(pixel, &wish): (usize, &i32)| {
            if (wish > 0) == is_object(pixel) {
                0
            } else {
                wish.abs()
            }
        };
        let bond =
            |&(a, b, price): &(usize, usize, i32)| price * i32::from(is_object(a) != is_object(b));
        wishes.iter().enumerate().map(wish).sum::<i32>() + bonds.iter().map(bond).sum::<i32>()
    }

    #[test]
    fn no_cut_is_cheaper() {
        const SIDE: i32 = 3;
        let mut random = Random::new(7);
        for _ in 0..300 {
            let mut number =
                |low: i64, high: i64| (low + random.below((high - low) as u64 + 1) as i64) as i32;
            let wishes: Vec<i32> = (0..SIDE * SIDE).map(|_| number(-9, 9)).collect();
            let mut grid = Grid::new(wishes.clone());
            let mut bonds = Vec::new();
            for (x, y) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y))) {
                for (step, (dx, dy)) in STEPS.into_iter().enumerate().skip(4) {
                    let (to_x, to_y) = (x + dx, y + dy);
                    if (0..SIDE).contains(&to_x) && to_y < SIDE {
                        let (from, to) = ((y * SIDE + x) as usize, (to_y * SIDE + to_x) as usize);
                        let price = number(0, 5);
                        grid.bind(from, step, to, price);
                        bonds.push((from, to, price));
                    }
                }
            }
            let cut = grid.cut();
            let found = price(&wishes, &bonds, |pixel| cut[pixel]);
            let best = (0..1 << wishes.len())
                .map(|sides: i32| price(&wishes, &bonds, |pixel| sides >> pixel & 1 == 1))
                .min();
            assert_eq!(Some(found), best);
        }
    }
}
