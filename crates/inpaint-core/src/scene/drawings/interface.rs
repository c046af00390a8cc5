//! Windows of programs: panels, buttons, lists, tables and text, to the pixel.

use super::canvas::{Canvas, Colour, between, palette};
use super::marks::Font;
use crate::random::Random;
use crate::scene::noise::blend;

/// Colours and letters of one program.
struct Theme {
    page: Colour,
    panel: Colour,
    line: Colour,
    text: Colour,
    accent: Colour,
    font: Font,
    /// Space around things, in pixels.
    gap: i64,
}

impl Theme {
    fn new(random: &mut Random) -> Self {
        let grey = |low: f64, high: f64, random: &mut Random| {
            let value = between(low, high, random).round();
            [value, value, (value + random.below(7) as f64).min(255.0)]
        };
        let is_dark = random.unit() < 0.35;
        let (page, panel, text) = if is_dark {
            (
                grey(14.0, 40.0, random),
                grey(30.0, 60.0, random),
                grey(190.0, 250.0, random),
            )
        } else {
            (
                grey(232.0, 255.0, random),
                grey(222.0, 255.0, random),
                grey(0.0, 70.0, random),
            )
        };
        let [_, _, accent, _] = palette(random);
        // Letters of programs are smoothed as often as not.
        let is_exact = random.unit() < 0.5;
        let font = Font::new(f64::from(random.between(5, 13)), is_exact, random);
        Self {
            page,
            panel,
            line: blend(page, text, between(0.1, 0.35, random)).map(f64::round),
            text,
            accent,
            font,
            gap: i64::from(random.between(3, 9)),
        }
    }

    /// Height of a row with text.
    fn row(&self) -> i64 {
        self.font.sign_px.1 + 2 * self.gap
    }

    fn write(
        &self,
        canvas: &mut Canvas,
        (x, y): (i64, i64),
        end: i64,
        colour: Colour,
        random: &mut Random,
    ) {
        self.font.write(canvas, (x, y), end, colour, random);
    }
}

/// A window's cut-out.
pub(super) fn interface(width: u32, height: u32, random: &mut Random) -> Canvas {
    let theme = Theme::new(random);
    let mut canvas = Canvas::new(width, height, theme.page, true);
    // The window is larger than what is seen of it.
    let left = -i64::from(random.between(0, width / 4));
    let top = -i64::from(random.between(0, height / 4));
    let area = [
        left,
        top,
        i64::from(width) - 2 * left,
        i64::from(height) - 2 * top,
    ];
    match random.below(4) {
        0 => list(&mut canvas, &theme, area, random),
        1 => table(&mut canvas, &theme, area, random),
        2 => listing(&mut canvas, &theme, area, random),
        _ => panels(&mut canvas, &theme, area, random),
    }
    if random.unit() < 0.7 {
        let bar = [area[0], area[1], area[2], theme.row()];
        title(&mut canvas, &theme, bar, random);
    }
    canvas
}

fn title(
    canvas: &mut Canvas,
    theme: &Theme,
    [left, top, width, height]: [i64; 4],
    random: &mut Random,
) {
    let is_vivid = random.unit() < 0.5;
    let (back, ink) = if is_vivid {
        (theme.accent, theme.page)
    } else {
        (theme.panel, theme.text)
    };
    canvas.rectangle([left, top, width, height], back);
    canvas.rectangle([left, top + height - 1, width, 1], theme.line);
    let end = left + width / 3;
    theme.write(
        canvas,
        (left + theme.gap, top + theme.gap),
        end,
        ink,
        random,
    );
    let side = theme.font.sign_px.1;
    for i in 1..4 {
        let x = left + width - i * (side + theme.gap);
        canvas.frame([x, top + theme.gap, side, side], ink);
    }
}

/// Rows with a box or a disc, a line of text, and a thin line between them.
fn list(
    canvas: &mut Canvas,
    theme: &Theme,
    [left, top, width, height]: [i64; 4],
    random: &mut Random,
) {
    let (row, gap) = (theme.row(), theme.gap);
    let side = theme.font.sign_px.1;
    let kind = random.below(3);
    let is_striped = random.unit() < 0.4;
    let chosen = random.below(12) as i64;
    for index in 0..=height / row {
        let y = top + index * row;
        if is_striped && index % 2 == 1 {
            canvas.rectangle([left, y, width, row], theme.panel);
        }
        let mut ink = theme.text;
        if index == chosen {
            canvas.rectangle([left, y, width, row], theme.accent);
            ink = theme.page;
        }
        let mark = [left + gap, y + gap, side, side];
        match kind {
            0 => canvas.frame(mark, ink),
            1 => canvas.rectangle(mark, theme.accent),
            _ => disc(canvas, mark, theme.accent),
        }
        let start = left + 2 * gap + side;
        let end = start + (width as f64 * between(0.2, 0.7, random)) as i64;
        theme.write(canvas, (start, y + gap), end, ink, random);
        canvas.rectangle([left, y + row - 1, width, 1], theme.line);
    }
}

/// Cells with short text or with a bar.
fn table(
    canvas: &mut Canvas,
    theme: &Theme,
    [left, top, width, height]: [i64; 4],
    random: &mut Random,
) {
    let (row, gap) = (theme.row(), theme.gap);
    let column = row * i64::from(random.between(2, 6));
    let filled = between(0.4, 1.0, random);
    canvas.rectangle([left, top, width, row], theme.panel);
    for x in (0..=width / column).map(|i| left + i * column) {
        for y in (0..=height / row).map(|i| top + i * row) {
            if random.unit() < filled {
                let end = x + column - gap - random.below(column as u64 / 2 + 1) as i64;
                theme.write(canvas, (x + gap, y + gap), end, theme.text, random);
            } else if random.unit() < 0.3 {
                let long = random.below((column - 2 * gap).max(1) as u64) as i64;
                canvas.rectangle([x + gap, y + gap, long, row - 2 * gap], theme.accent);
            }
            canvas.rectangle([x, y + row - 1, column, 1], theme.line);
        }
        canvas.rectangle([x + column - 1, top, 1, height], theme.line);
    }
}

/// Lines of a program or of a text, with a margin for their numbers.
fn listing(
    canvas: &mut Canvas,
    theme: &Theme,
    [left, top, width, height]: [i64; 4],
    random: &mut Random,
) {
    let (step_x, step_y) = theme.font.advance;
    let margin = 4 * step_x + theme.gap;
    let is_numbered = random.unit() < 0.6;
    let inks = [theme.text, theme.text, theme.accent, theme.line];
    let mut depth = 0;
    canvas.rectangle([left, top, margin - theme.gap, height], theme.panel);
    for y in (0..=height / step_y.max(1)).map(|i| top + i * step_y) {
        if is_numbered {
            let end = left + 3 * step_x;
            theme.write(canvas, (left + step_x / 2, y), end, theme.line, random);
        }
        if random.unit() < 0.12 {
            continue;
        }
        depth = (depth + random.below(3) as i64 - 1).clamp(0, 4);
        let mut x = left + margin + 2 * depth * step_x;
        let end = x + (width as f64 * between(0.1, 0.7, random)) as i64;
        while x + 2 * step_x < end {
            let ink = inks[random.below(4) as usize];
            let stop = (x + i64::from(random.between(2, 14)) * step_x).min(end);
            theme.write(canvas, (x, y), stop, ink, random);
            x = stop + step_x;
        }
    }
}

/// Cards with a picture's place, text and buttons, beside a bar at the side.
fn panels(
    canvas: &mut Canvas,
    theme: &Theme,
    [left, top, width, height]: [i64; 4],
    random: &mut Random,
) {
    let (row, gap) = (theme.row(), theme.gap);
    let bar = width / i64::from(random.between(3, 6));
    list(canvas, theme, [left, top, bar, height], random);
    canvas.rectangle([left + bar, top, width - bar, height], theme.page);
    canvas.rectangle([left + bar, top, 1, height], theme.line);
    let count = i64::from(random.between(1, 3));
    let (wide, high) = (
        (width - bar - gap) / count - gap,
        row * i64::from(random.between(3, 6)),
    );
    let has_picture = random.unit() < 0.5;
    for card in 0..count * (height / (high + gap) + 1) {
        let x = left + bar + gap + card % count * (wide + gap);
        let mut y = top + row + gap + card / count * (high + gap);
        let bottom = y + high;
        canvas.rectangle([x, y, wide, high], theme.panel);
        canvas.frame([x, y, wide, high], theme.line);
        if has_picture {
            canvas.rectangle(
                [x + 1, y + 1, wide - 2, high / 3],
                blend(theme.panel, theme.accent, 0.5),
            );
            y += high / 3;
        }
        while y + 2 * row < bottom {
            let end = x + wide - gap - random.below(wide.max(8) as u64 / 2) as i64;
            theme.write(canvas, (x + gap, y + gap), end, theme.text, random);
            y += theme.font.advance.1;
        }
        let button = [x + gap, bottom - row - gap / 2, wide / 2 - gap, row];
        canvas.rectangle(button, theme.accent);
        let start = (button[0] + gap, button[1] + gap);
        theme.write(
            canvas,
            start,
            button[0] + button[2] - gap,
            theme.page,
            random,
        );
        let other = [x + wide / 2, button[1], wide / 2 - gap, row];
        canvas.frame(other, theme.line);
    }
}

/// The disc in a square.
fn disc(canvas: &mut Canvas, [left, top, side, _]: [i64; 4], colour: Colour) {
    let radius = side as f64 / 2.0;
    let middle = (left as f64 + radius, top as f64 + radius);
    canvas.stroke(&[middle, middle], side as f64 - 0.5, colour);
}
