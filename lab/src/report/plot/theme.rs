//! Colours and sizes that all plots share, and how they change on a dark background.
//!
//! A plot is drawn in the colours for a light background, each of them used for one purpose only. On a dark background
//! a style sheet replaces them: [`dark_rules`] selects elements by the very colour that they have. So the same SVG
//! works alone, inside a page, and in a viewer that knows no CSS.

use std::fmt::Write;

/// Canvas units in a pixel at the usual size. Coordinates in the SVG are whole numbers, and a pixel is too coarse for
/// them.
pub const FINE: i32 = 2;

/// Width of the canvas for a desktop page.
pub const WIDE: i32 = 960 * FINE;

/// Width of the canvas for a phone. It has the same letters on less than half of the width.
pub const NARROW: i32 = 390 * FINE;

/// Height of letters.
pub const TEXT: i32 = 13 * FINE;

/// A colour by its purpose. Series colours are told apart by people who see no red or no green (after Okabe and Ito),
/// and no plot relies on them alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Text and lines that matter most.
    Ink,
    /// Labels of axes.
    Muted,
    /// Lines of the grid.
    Grid,
    /// First series.
    Blue,
    /// Second series.
    Orange,
    /// Third series.
    Green,
    /// Fourth series.
    Purple,
    /// Fifth series.
    Yellow,
    /// Sixth series.
    Sky,
    /// What went wrong.
    Red,
    /// Background of a plot that stands alone.
    Paper,
}

impl Colour {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Ink,
        Self::Muted,
        Self::Grid,
        Self::Blue,
        Self::Orange,
        Self::Green,
        Self::Purple,
        Self::Yellow,
        Self::Sky,
        Self::Red,
        Self::Paper,
    ];

    /// The colours of series, in turn.
    pub const SERIES: [Self; 6] = [Self::Blue, Self::Orange, Self::Green, Self::Purple, Self::Yellow, Self::Sky];

    /// The colour on a light background, as 0xRRGGBB.
    #[must_use]
    pub const fn light(self) -> u32 {
        match self {
            Self::Ink => 0x1f_26_2e,
            Self::Muted => 0x57_60_6a,
            Self::Grid => 0xe1_e5_ea,
            Self::Blue => 0x00_72_b2,
            Self::Orange => 0xd5_5e_00,
            Self::Green => 0x00_8a_66,
            Self::Purple => 0xa8_4f_8c,
            Self::Yellow => 0xb0_78_00,
            Self::Sky => 0x2f_95_c9,
            Self::Red => 0xb4_23_18,
            Self::Paper => 0xff_ff_ff,
        }
    }

    /// The colour on a dark background, as 0xRRGGBB.
    #[must_use]
    pub const fn dark(self) -> u32 {
        match self {
            Self::Ink => 0xe8_ec_f0,
            Self::Muted => 0xa3_ad_b8,
            Self::Grid => 0x34_3b_44,
            Self::Blue => 0x58_b4_f0,
            Self::Orange => 0xff_8f_47,
            Self::Green => 0x35_c9_9a,
            Self::Purple => 0xe0_93_c6,
            Self::Yellow => 0xf0_bf_3a,
            Self::Sky => 0x8f_d0_f5,
            Self::Red => 0xff_7b_6e,
            Self::Paper => 0x16_1b_21,
        }
    }

    /// `#1F262E`, as the SVG has it.
    #[must_use]
    pub fn hex(self) -> String {
        format!("#{:06X}", self.light())
    }
}

/// CSS rules that give plots their colours for a dark background. They belong inside of `@media (prefers-color-scheme:
/// dark)`.
#[must_use]
pub fn dark_rules() -> String {
    let mut rules = String::new();
    for colour in Colour::ALL {
        let (light, dark) = (colour.hex(), colour.dark());
        // To write to a string cannot fail.
        let _ = write!(rules, "svg [fill='{light}']{{fill:#{dark:06x}}}svg [stroke='{light}']{{stroke:#{dark:06x}}}");
    }
    rules
}

/// The rough width of a text in canvas units. No font is measured, so leave room.
#[must_use]
pub fn text_width(text: &str) -> i32 {
    (text.chars().count() as f64 * f64::from(TEXT) * 0.56).ceil() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance after WCAG 2.
    fn luminance(colour: u32) -> f64 {
        let channel = |shift: u32| {
            let c = f64::from((colour >> shift) & 0xff) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
    }

    fn contrast(a: u32, b: u32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_colour_stands_out_on_both_backgrounds_and_is_used_once() {
        for (i, colour) in Colour::ALL.into_iter().enumerate() {
            assert!(Colour::ALL[..i].iter().all(|other| other.light() != colour.light()), "{colour:?}");
            let least = match colour {
                Colour::Ink | Colour::Muted => 4.5,
                Colour::Grid | Colour::Paper => continue,
                _ => 3.0,
            };
            assert!(contrast(colour.light(), Colour::Paper.light()) >= least, "{colour:?} on white");
            assert!(contrast(colour.dark(), Colour::Paper.dark()) >= least, "{colour:?} on black");
        }
    }
}
