//! Turns a sheet into SVG: places everything and draws it with plotters. The width of a text is a guess, so margins are
//! wide.

use std::fmt::Display;
use std::io;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::sheet::{Lane, Layer, Mark, Panel, Shape, Sheet};
use super::theme::{self, Colour, FINE, NARROW, TEXT, WIDE};
use crate::report::text::{cut, escape, printable};

/// plotters divides the size of letters by this number.
const FONT_FACTOR: f64 = 1.24;
const ROW: i32 = TEXT + 8 * FINE;
const LANE: i32 = TEXT + 6 * FINE;
const RIGHT: i32 = 16 * FINE;
const TITLE: i32 = 40 * FINE;

/// If a lane has more bars than this, bars that touch are drawn as one.
const MOST_BARS: usize = 200;

/// A note may cover the marks of a layer that has more marks than this.
const MARKS_KEPT_FREE: usize = 200;

impl Sheet {
    /// The sheet as a file of its own, with title and background, and with other colours where a dark scheme is
    /// preferred.
    ///
    /// # Errors
    /// The drawing library refused; there is no input for which it is known to.
    pub fn standalone(&self) -> io::Result<String> {
        standalone(self)
    }

    /// The sheet as a part of a page, at desktop width and at phone width, with the classes `wide` and `narrow`. The
    /// page gives it colours (`theme::dark_rules`) and a heading.
    ///
    /// # Errors
    /// As [`Sheet::standalone`].
    pub fn inline(&self) -> io::Result<[String; 2]> {
        Ok([inline(self, WIDE, "wide")?, inline(self, NARROW, "narrow")?])
    }
}

type Pixel = (i32, i32);

/// Where the parts of a sheet are, in canvas units.
struct Layout {
    width: i32,
    left: i32,
    legend: i32,
    lanes: i32,
    labels: i32,
    /// Top and bottom of each panel.
    panels: Vec<(i32, i32)>,
    height: i32,
}

impl Layout {
    fn new(sheet: &Sheet, width: i32, legend_rows: i32) -> Self {
        let ticks = sheet.panels.iter().flat_map(|panel| panel.y.ticks(y_ticks(panel)));
        let names = sheet.lanes.iter().map(|lane| theme::text_width(&lane.name));
        let left = ticks.map(|(_, label)| theme::text_width(&label)).chain(names).max().unwrap_or(0) + 12 * FINE;
        let legend = 2 * FINE;
        let lanes = legend + legend_rows * ROW + 4 * FINE;
        let labels = lanes + sheet.lanes.len() as i32 * LANE;
        let mut y = labels + if sheet.moments.is_empty() { 0 } else { ROW };
        let mut panels = Vec::new();
        for panel in &sheet.panels {
            let top = y + ROW + 8 * FINE;
            panels.push((top, top + panel.height));
            y = top + panel.height + 10 * FINE;
        }
        Self { width, left, legend, lanes, labels, panels, height: y + 2 * ROW }
    }

    fn right(&self) -> i32 {
        self.width - RIGHT
    }

    fn x(&self, axis: &Axis, value: f64) -> i32 {
        self.left + (axis.share(value) * f64::from(self.right() - self.left)).round() as i32
    }

    fn y(&self, axis: &Axis, panel: usize, value: f64) -> i32 {
        let (top, bottom) = self.panels[panel];
        bottom - (axis.share(value) * f64::from(bottom - top)).round() as i32
    }
}

fn y_ticks(panel: &Panel) -> usize {
    (panel.height / (38 * FINE)).max(2) as usize
}

/// A canvas that plotters draws on.
struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl Canvas<'_> {
    fn style(colour: Colour, opacity: f64, width: i32) -> ShapeStyle {
        let rgb = colour.light();
        let colour = RGBColor((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8).mix(opacity);
        ShapeStyle { color: colour, filled: true, stroke_width: width.unsigned_abs() }
    }

    fn text(&self, at: Pixel, text: &str, colour: Colour, anchor: HPos) -> io::Result<()> {
        let style = ("sans-serif", f64::from(TEXT) * FONT_FACTOR)
            .into_font()
            .color(&Self::style(colour, 1.0, 1).color)
            .pos(Pos::new(anchor, VPos::Center));
        self.0.draw(&Text::new(printable(text), at, style)).map_err(refused)
    }

    fn line(&self, points: Vec<Pixel>, colour: Colour, opacity: f64, width: i32) -> io::Result<()> {
        self.0.draw(&PathElement::new(points, Self::style(colour, opacity, width))).map_err(refused)
    }

    fn dashes(&self, points: Vec<Pixel>, colour: Colour, width: i32) -> io::Result<()> {
        let style = Self::style(colour, 1.0, width);
        self.0.draw(&DashedPathElement::new(points, 6 * FINE, 4 * FINE, style)).map_err(refused)
    }

    fn rectangle(&self, corners: [Pixel; 2], colour: Colour, opacity: f64) -> io::Result<()> {
        self.0.draw(&Rectangle::new(corners, Self::style(colour, opacity, 1))).map_err(refused)
    }

    fn area(&self, points: Vec<Pixel>, colour: Colour, opacity: f64) -> io::Result<()> {
        self.0.draw(&Polygon::new(points, Self::style(colour, opacity, 1))).map_err(refused)
    }

    fn mark(&self, at: Pixel, mark: Mark, size: i32, (colour, opacity): (Colour, f64)) -> io::Result<()> {
        let style = Self::style(colour, opacity, FINE);
        match mark {
            Mark::Dot => self.0.draw(&Circle::new(at, size, style)),
            Mark::Ring => self.0.draw(&Circle::new(at, size, ShapeStyle { filled: false, ..style })),
            Mark::Square | Mark::Frame => {
                let corners = [(at.0 - size, at.1 - size), (at.0 + size, at.1 + size)];
                self.0.draw(&Rectangle::new(corners, ShapeStyle { filled: mark == Mark::Square, ..style }))
            }
            Mark::Triangle => self.0.draw(&TriangleMarker::new(at, size + FINE, style)),
            Mark::Cross => self.0.draw(&Cross::new(at, size, Self::style(colour, opacity, FINE + 1))),
        }
        .map_err(refused)
    }
}

fn refused(error: impl Display) -> io::Error {
    io::Error::other(error.to_string())
}

/// The SVG as plotters wrote it, and its size.
fn draw(sheet: &Sheet, width: i32) -> io::Result<(String, Pixel)> {
    let keys = legend(sheet, width);
    let rows = keys.last().map_or(0, |key| key.row + 1);
    let layout = Layout::new(sheet, width, rows);
    let mut svg = String::new();
    {
        let size = (layout.width.unsigned_abs(), layout.height.unsigned_abs());
        let canvas = Canvas(SVGBackend::with_string(&mut svg, size).into_drawing_area());
        shades(&canvas, sheet, &layout)?;
        for index in 0..sheet.panels.len() {
            frame(&canvas, sheet, &layout, index)?;
        }
        horizontal(&canvas, sheet, &layout)?;
        moments(&canvas, sheet, &layout)?;
        for (index, panel) in sheet.panels.iter().enumerate() {
            for layer in &panel.layers {
                draw_layer(&canvas, sheet, &layout, (index, panel, layer))?;
            }
            remarks(&canvas, sheet, &layout, (index, panel))?;
        }
        for key in &keys {
            draw_key(&canvas, &layout, key)?;
        }
        canvas.0.present().map_err(refused)?;
    }
    let odd = format!("font-size=\"{}\"", f64::from(TEXT) * FONT_FACTOR / FONT_FACTOR);
    let svg = svg.replace(&odd, &format!("font-size=\"{TEXT}\""));
    // These attributes say what SVG assumes anyway.
    let svg = svg.replace(" opacity=\"1\"", "").replace(" stroke=\"none\" stroke-width=\"2\"", "");
    Ok((svg.replace(" stroke=\"none\"", ""), (layout.width, layout.height)))
}

/// A line of the legend.
struct Key<'a> {
    layer: &'a Layer,
    text: &'a str,
    x: i32,
    row: i32,
}

/// The names of the layers, each of them once, placed in rows.
fn legend(sheet: &Sheet, width: i32) -> Vec<Key<'_>> {
    let mut keys: Vec<Key<'_>> = Vec::new();
    let (mut x, mut row) = (4 * FINE, 0);
    for layer in sheet.panels.iter().flat_map(|panel| &panel.layers) {
        let Some(text) = layer.key.as_deref() else { continue };
        if keys.iter().any(|key| key.text == text) {
            continue;
        }
        let needs = 28 * FINE + theme::text_width(text);
        if x + needs > width - RIGHT && x > 4 * FINE {
            (x, row) = (4 * FINE, row + 1);
        }
        keys.push(Key { layer, text, x, row });
        x += needs + 10 * FINE;
    }
    keys
}

fn draw_key(canvas: &Canvas<'_>, layout: &Layout, key: &Key<'_>) -> io::Result<()> {
    let y = layout.legend + key.row * ROW + ROW / 2;
    let (from, to) = (key.x, key.x + 20 * FINE);
    let colour = key.layer.colour;
    match key.layer.shape {
        Shape::Line { width, dashed: false } => canvas.line(vec![(from, y), (to, y)], colour, 1.0, width)?,
        Shape::Line { width, dashed: true } => canvas.dashes(vec![(from, y), (to, y)], colour, width)?,
        Shape::Band => canvas.rectangle([(from, y - 5 * FINE), (to, y + 5 * FINE)], colour, key.layer.opacity)?,
        Shape::Marks { mark, size } => {
            canvas.mark(((from + to) / 2, y), mark, size.max(3 * FINE), (colour, 1.0))?;
        }
    }
    canvas.text((to + 6 * FINE, y), key.text, Colour::Ink, HPos::Left)
}

/// Lanes with their intervals, and the shades below them.
fn shades(canvas: &Canvas<'_>, sheet: &Sheet, layout: &Layout) -> io::Result<()> {
    for (i, lane) in sheet.lanes.iter().enumerate() {
        let top = layout.lanes + i as i32 * LANE;
        let middle = top + LANE / 2;
        canvas.text((layout.left - 6 * FINE, middle), &lane.name, Colour::Muted, HPos::Right)?;
        canvas.line(vec![(layout.left, middle), (layout.right(), middle)], Colour::Grid, 1.0, FINE)?;
        // Bars of one lane may overlap, as when two nodes are down; their labels must not.
        let mut labelled = 0;
        for (from, to, label) in placed(lane, sheet, layout) {
            canvas.rectangle([(from, top + FINE), (to, top + LANE - FINE)], lane.colour, 0.3)?;
            if let Some(label) = fitting(label, to - from).filter(|_| from >= labelled) {
                canvas.text((from + 4 * FINE, middle), &label, Colour::Ink, HPos::Left)?;
                labelled = from + theme::text_width(&label) + 8 * FINE;
            }
            for (top, bottom) in &layout.panels {
                canvas.rectangle([(from, *top), (to, *bottom)], lane.colour, 0.1)?;
            }
        }
    }
    Ok(())
}

/// Bars in canvas units. If there are very many, those that touch become one.
fn placed<'a>(lane: &'a Lane, sheet: &Sheet, layout: &Layout) -> Vec<(i32, i32, &'a str)> {
    let mut bars: Vec<(i32, i32, &str)> = Vec::new();
    for bar in &lane.bars {
        let from = layout.x(&sheet.x, bar.from);
        let to = layout.x(&sheet.x, bar.to).max(from + FINE);
        match bars.last_mut() {
            Some(last) if lane.bars.len() > MOST_BARS && from <= last.1 + 2 * FINE => last.1 = last.1.max(to),
            _ => bars.push((from, to, &bar.label)),
        }
    }
    bars
}

/// A label, cut to the width of its bar. `None` if too little of it would be left.
fn fitting(label: &str, width: i32) -> Option<String> {
    let room = width - 6 * FINE;
    if theme::text_width(label) <= room {
        return Some(label.to_owned());
    }
    let letters = room / theme::text_width("n").max(1);
    (letters >= 5).then(|| cut(label, letters.unsigned_abs() as usize))
}

/// Grid, ticks and label of a vertical axis.
fn frame(canvas: &Canvas<'_>, sheet: &Sheet, layout: &Layout, index: usize) -> io::Result<()> {
    let panel = &sheet.panels[index];
    let (top, bottom) = layout.panels[index];
    for (value, label) in panel.y.ticks(y_ticks(panel)) {
        let y = layout.y(&panel.y, index, value);
        canvas.line(vec![(layout.left, y), (layout.right(), y)], Colour::Grid, 1.0, FINE)?;
        canvas.text((layout.left - 6 * FINE, y), &label, Colour::Muted, HPos::Right)?;
    }
    for (value, _) in sheet.x.ticks(x_ticks(layout)) {
        let x = layout.x(&sheet.x, value);
        canvas.line(vec![(x, top), (x, bottom)], Colour::Grid, 0.6, FINE)?;
    }
    canvas.line(vec![(layout.left, bottom), (layout.right(), bottom)], Colour::Muted, 1.0, FINE)?;
    let scale = if panel.y.is_log() { " (logarithmic)" } else { "" };
    canvas.text((4 * FINE, top - ROW / 2 - 6 * FINE), &format!("{}{scale}", panel.y.label), Colour::Ink, HPos::Left)
}

fn x_ticks(layout: &Layout) -> usize {
    ((layout.right() - layout.left) / (70 * FINE)).max(2) as usize
}

/// Ticks and label of the horizontal axis, below the last panel.
fn horizontal(canvas: &Canvas<'_>, sheet: &Sheet, layout: &Layout) -> io::Result<()> {
    let Some((_, bottom)) = layout.panels.last() else { return Ok(()) };
    for (value, label) in sheet.x.ticks(x_ticks(layout)) {
        let x = layout.x(&sheet.x, value);
        let half = theme::text_width(&label) / 2;
        let inside = x.min(layout.width - half - 2 * FINE);
        canvas.text((inside, bottom + ROW / 2 + 2 * FINE), &label, Colour::Muted, HPos::Center)?;
    }
    let scale = if sheet.x.is_log() { " (logarithmic)" } else { "" };
    let at = (layout.right(), bottom + ROW + ROW / 2);
    canvas.text(at, &format!("{}{scale}", sheet.x.label), Colour::Ink, HPos::Right)
}

/// Draws moments: lines through all panels. Each label ends at its line, and labels that would overlap are joined.
fn moments(canvas: &Canvas<'_>, sheet: &Sheet, layout: &Layout) -> io::Result<()> {
    let mut sorted: Vec<_> = sheet.moments.iter().collect();
    sorted.sort_by(|a, b| a.at.total_cmp(&b.at));
    let mut groups: Vec<(i32, String)> = Vec::new();
    for moment in sorted {
        let x = layout.x(&sheet.x, moment.at);
        for (top, bottom) in &layout.panels {
            canvas.dashes(vec![(x, *top), (x, *bottom)], Colour::Muted, FINE)?;
        }
        let begins = x - theme::text_width(&moment.label) - 8 * FINE;
        match groups.last_mut() {
            Some((end, text)) if begins < *end => {
                text.push_str(" · ");
                text.push_str(&moment.label);
                *end = x;
            }
            _ => groups.push((x, moment.label.clone())),
        }
    }
    for (x, text) in groups {
        // At the left edge there may be no room before the line.
        let end = x.max(theme::text_width(&text) + 4 * FINE);
        canvas.text((end, layout.labels + ROW / 2), &text, Colour::Muted, HPos::Right)?;
    }
    Ok(())
}

fn draw_layer(
    canvas: &Canvas<'_>,
    sheet: &Sheet,
    layout: &Layout,
    (index, panel, layer): (usize, &Panel, &Layer),
) -> io::Result<()> {
    let place = |x: f64, y: f64| (layout.x(&sheet.x, x), layout.y(&panel.y, index, y));
    let mut points: Vec<Pixel> = layer.points.iter().map(|(x, y)| place(*x, *y)).collect();
    match layer.shape {
        Shape::Line { width, dashed } => {
            points.dedup();
            if dashed {
                canvas.dashes(points, layer.colour, width)?;
            } else {
                canvas.line(points, layer.colour, layer.opacity, width)?;
            }
        }
        Shape::Band => {
            let upper = layer.points.iter().zip(&layer.upper).rev();
            points.extend(upper.map(|((x, _), high)| place(*x, *high)));
            points.dedup();
            canvas.area(points, layer.colour, layer.opacity)?;
        }
        Shape::Marks { mark, size } => {
            // On a narrow canvas many marks fall on the same place.
            let cell = if layout.width < WIDE { FINE + 1 } else { 1 };
            let mut seen = std::collections::BTreeSet::new();
            points.retain(|(x, y)| seen.insert((x / cell, y / cell)));
            for point in points {
                canvas.mark(point, mark, size, (layer.colour, layer.opacity))?;
            }
        }
    }
    Ok(())
}

/// Draws thresholds and notes.
fn remarks(canvas: &Canvas<'_>, sheet: &Sheet, layout: &Layout, (index, panel): (usize, &Panel)) -> io::Result<()> {
    for (value, label) in &panel.thresholds {
        let y = layout.y(&panel.y, index, *value);
        canvas.dashes(vec![(layout.left, y), (layout.right(), y)], Colour::Ink, FINE)?;
        canvas.text((layout.right() - 4 * FINE, y - ROW / 2), label, Colour::Ink, HPos::Right)?;
    }
    let place = |x: f64, y: f64| (layout.x(&sheet.x, x), layout.y(&panel.y, index, y));
    let is_marks = |layer: &&Layer| matches!(layer.shape, Shape::Marks { .. }) && layer.points.len() <= MARKS_KEPT_FREE;
    let marks = panel.layers.iter().filter(is_marks).flat_map(|layer| &layer.points);
    let marks: Vec<Pixel> = marks.map(|(x, y)| place(*x, *y)).collect();
    let notes: Vec<(Pixel, &str)> = panel.notes.iter().map(|(x, y, text)| (place(*x, *y), text.as_str())).collect();
    let (top, bottom) = layout.panels[index];
    let corners = [(layout.left, top), (layout.width - 2 * FINE, bottom)];
    for ((_, text), at) in notes.iter().zip(super::notes::place(&notes, &marks, corners)) {
        if let Some(at) = at {
            // Lines below a text would make it hard to read.
            let end = (at.0 + theme::text_width(text) * 15 / 16, at.1 + TEXT / 2);
            canvas.rectangle([(at.0 - FINE, at.1 - TEXT / 2), end], Colour::Paper, 0.75)?;
            canvas.text(at, text, Colour::Ink, HPos::Left)?;
        }
    }
    Ok(())
}

/// See [`Sheet::standalone`].
fn standalone(sheet: &Sheet) -> io::Result<String> {
    let (svg, (width, height)) = draw(sheet, WIDE)?;
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let whole = height + TITLE;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 -{TITLE} {width} {whole}\">\n\
         <title>{title}</title>\n\
         <style>text{{font-family:system-ui,sans-serif}}@media (prefers-color-scheme:dark){{{rules}}}</style>\n\
         <rect x=\"0\" y=\"-{TITLE}\" width=\"{width}\" height=\"{whole}\" fill=\"{paper}\"/>\n\
         <text x=\"{left}\" y=\"-{base}\" font-family=\"sans-serif\" font-size=\"{size}\" font-weight=\"bold\" \
         fill=\"{ink}\">{title}</text>{body}",
        width / FINE,
        whole / FINE,
        title = escape(&sheet.title),
        rules = theme::dark_rules(),
        paper = Colour::Paper.hex(),
        ink = Colour::Ink.hex(),
        left = 4 * FINE,
        base = TITLE / 3,
        size = 16 * FINE,
    ))
}

/// One of [`Sheet::inline`].
fn inline(sheet: &Sheet, width: i32, class: &str) -> io::Result<String> {
    debug_assert!(width == WIDE || width == NARROW, "the page knows two widths");
    let (svg, (width, height)) = draw(sheet, width)?;
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let label = escape(&sheet.title);
    let body = body.replace(" font-family=\"sans-serif\"", "");
    Ok(format!("<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">{body}"))
}
