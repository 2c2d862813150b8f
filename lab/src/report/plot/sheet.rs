//! What a plot consists of, as plain data: panels one above the other over a common horizontal axis, with layers in
//! them, and lanes with intervals above. It does not know how a plot is drawn; that is in `render`.

use super::axis::Axis;
use super::theme::FINE;

pub use super::theme::Colour;

/// A plot. It is drawn at two widths from the same data.
///
/// ```
/// use rumormill_lab::report::plot::{Axis, Colour, Layer, Panel, Sheet};
///
/// let measured = vec![(597.0, 0.94), (1816.0, 0.35)];
/// let floor = (4..40).map(|i| (i as f64 * 50.0, 25.0 / (100.0 * (i as f64 * 0.05 - 0.1 + 1.0 / 48.0)))).collect();
/// let sheet = Sheet::new("floors", "Messages per operation against latency", Axis::linear("max latency, ms", 0.0, 2000.0))
///     .caption("Nearer to the line is better.")
///     .panel(
///         Panel::new(Axis::up_to("messages per operation", 2.0))
///             .layer(Layer::line(floor, Colour::Muted).dashed().named("floor of any design"))
///             .layer(Layer::marks(measured, Colour::Blue).large().named("measured"))
///             .note(597.0, 0.94, "T = 460"),
///     );
/// assert!(sheet.standalone()?.starts_with("<svg"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Name of its file, without the ending.
    pub name: String,
    /// Heading.
    pub title: String,
    /// How to read it, in one sentence or two.
    pub caption: String,
    pub(super) x: Axis,
    pub(super) lanes: Vec<Lane>,
    pub(super) moments: Vec<Moment>,
    pub(super) panels: Vec<Panel>,
}

/// A row of intervals above the panels; each shades the panels below it.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The name, which stands left of the row.
    pub name: String,
    /// The colour of bars and shades.
    pub colour: Colour,
    /// The intervals.
    pub bars: Vec<Bar>,
}

/// An interval on the horizontal axis.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// The label, which is shown if it fits.
    pub label: String,
}

/// A place on the horizontal axis, shown as a line through all panels.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The place.
    pub at: f64,
    /// The label above the line. Labels that are too close to each other are joined.
    pub label: String,
}

/// A vertical axis and what is drawn over it.
#[derive(Clone, Debug)]
pub struct Panel {
    pub(super) y: Axis,
    pub(super) height: i32,
    pub(super) layers: Vec<Layer>,
    pub(super) thresholds: Vec<(f64, String)>,
    pub(super) notes: Vec<(f64, f64, String)>,
}

/// Points that are drawn alike.
#[derive(Clone, Debug)]
pub struct Layer {
    pub(super) shape: Shape,
    pub(super) colour: Colour,
    pub(super) opacity: f64,
    pub(super) key: Option<String>,
    pub(super) points: Vec<(f64, f64)>,
    /// Upper edge of a band, point by point.
    pub(super) upper: Vec<f64>,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Line { width: i32, dashed: bool },
    Band,
    Marks { mark: Mark, size: i32 },
}

/// Shape of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A filled circle.
    Dot,
    /// An open circle.
    Ring,
    /// A filled square.
    Square,
    /// An open square.
    Frame,
    /// A triangle.
    Triangle,
    /// Two crossing lines.
    Cross,
}

impl Mark {
    /// The marks of a series of layers, in turn, as [`Colour::SERIES`] has their colours.
    pub const SERIES: [Self; 4] = [Self::Dot, Self::Square, Self::Triangle, Self::Ring];

    /// The open mark that goes with a filled one.
    #[must_use]
    pub const fn open(self) -> Self {
        match self {
            Self::Dot | Self::Ring => Self::Ring,
            Self::Square | Self::Frame => Self::Frame,
            Self::Triangle | Self::Cross => Self::Cross,
        }
    }
}

/// A value holds until the next point.
pub(super) fn stairs(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut path = Vec::with_capacity(2 * points.len());
    for pair in points.windows(2) {
        path.extend([pair[0], (pair[1].0, pair[0].1)]);
    }
    path.extend(points.last());
    path
}

impl Layer {
    fn new(shape: Shape, points: Vec<(f64, f64)>, colour: Colour) -> Self {
        Self { shape, colour, opacity: 1.0, key: None, points, upper: Vec::new() }
    }

    /// Points joined by straight lines.
    #[must_use]
    pub fn line(points: Vec<(f64, f64)>, colour: Colour) -> Self {
        Self::new(Shape::Line { width: 2 * FINE, dashed: false }, points, colour)
    }

    /// Points joined by steps: a value holds until the next point.
    #[must_use]
    pub fn steps(points: &[(f64, f64)], colour: Colour) -> Self {
        Self::line(stairs(points), colour)
    }

    /// The area between two curves, given as (x, lower, upper).
    #[must_use]
    pub fn band(points: &[(f64, f64, f64)], colour: Colour) -> Self {
        let lower = points.iter().map(|(x, low, _)| (*x, *low)).collect();
        let upper = points.iter().map(|(.., high)| *high).collect();
        Self { upper, opacity: 0.22, ..Self::new(Shape::Band, lower, colour) }
    }

    /// A mark at each point: dots, unless [`Layer::shaped`] says otherwise.
    #[must_use]
    pub fn marks(points: Vec<(f64, f64)>, colour: Colour) -> Self {
        Self::new(Shape::Marks { mark: Mark::Dot, size: 2 * FINE }, points, colour)
    }

    /// The same layer with another mark.
    #[must_use]
    pub fn shaped(mut self, wanted: Mark) -> Self {
        if let Shape::Marks { mark, .. } = &mut self.shape {
            *mark = wanted;
        }
        self
    }

    /// The same line in dashes.
    #[must_use]
    pub fn dashed(mut self) -> Self {
        if let Shape::Line { dashed, .. } = &mut self.shape {
            *dashed = true;
        }
        self
    }

    /// The same layer with thin lines and small marks, for layers with many of them.
    #[must_use]
    pub fn small(mut self) -> Self {
        match &mut self.shape {
            Shape::Line { width, .. } => *width = FINE,
            Shape::Marks { size, .. } => *size = FINE + 1,
            Shape::Band => {}
        }
        self
    }

    /// The same layer with thick lines and large marks, for the few that matter.
    #[must_use]
    pub fn large(mut self) -> Self {
        match &mut self.shape {
            Shape::Line { width, .. } => *width = 3 * FINE,
            Shape::Marks { size, .. } => *size = 4 * FINE,
            Shape::Band => {}
        }
        self
    }

    /// The same layer with this opacity, 0 to 1.
    #[must_use]
    pub fn opacity(mut self, opacity: f64) -> Self {
        self.opacity = opacity;
        self
    }

    /// The same layer with a line in the legend. A layer without one is drawn and not explained.
    #[must_use]
    pub fn named(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }
}

impl Panel {
    /// An empty panel over a vertical axis.
    #[must_use]
    pub fn new(y: Axis) -> Self {
        Self { y, height: 300 * FINE, layers: Vec::new(), thresholds: Vec::new(), notes: Vec::new() }
    }

    /// The same panel with a height in pixels, instead of 300.
    #[must_use]
    pub fn height(mut self, pixels: i32) -> Self {
        self.height = pixels * FINE;
        self
    }

    /// The same panel with one more layer, above the others. A layer without points is left out, also from the legend.
    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Self {
        if !layer.points.is_empty() {
            self.layers.push(layer);
        }
        self
    }

    /// The same panel with a dashed horizontal line and its meaning.
    #[must_use]
    pub fn threshold(mut self, value: f64, label: &str) -> Self {
        self.thresholds.push((value, label.to_owned()));
        self
    }

    /// The same panel with a text beside a point. A text without room is left out, so those that matter come first.
    #[must_use]
    pub fn note(mut self, x: f64, y: f64, text: &str) -> Self {
        self.notes.push((x, y, text.to_owned()));
        self
    }
}

impl Sheet {
    /// An empty sheet over a horizontal axis.
    #[must_use]
    pub fn new(name: &str, title: &str, x: Axis) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            caption: String::new(),
            x,
            lanes: Vec::new(),
            moments: Vec::new(),
            panels: Vec::new(),
        }
    }

    /// The same sheet with a sentence that says how to read it.
    #[must_use]
    pub fn caption(mut self, caption: &str) -> Self {
        caption.clone_into(&mut self.caption);
        self
    }

    /// The same sheet with lanes above the panels. The intervals of the lanes shade the panels.
    #[must_use]
    pub fn lanes(mut self, lanes: Vec<Lane>) -> Self {
        self.lanes.extend(lanes.into_iter().filter(|lane| !lane.bars.is_empty()));
        self
    }

    /// The same sheet with lines through all panels.
    #[must_use]
    pub fn moments(mut self, moments: Vec<Moment>) -> Self {
        self.moments.extend(moments);
        self
    }

    /// The same sheet with one more panel, below the others.
    #[must_use]
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }
}
