//! Places texts beside points. A text is near its point, and covers no mark and no other text. Texts without room are
//! left out, so those that matter come first.

use super::theme::{self, FINE, TEXT};

type Pixel = (i32, i32);

/// A rectangle: left, top, right, bottom.
#[derive(Clone, Copy, Debug)]
struct Area(i32, i32, i32, i32);

impl Area {
    fn meets(self, other: Self) -> bool {
        self.0 < other.2 && other.0 < self.2 && self.1 < other.3 && other.1 < self.3
    }

    fn around(point: Pixel, size: i32) -> Self {
        Self(point.0 - size, point.1 - size, point.0 + size, point.1 + size)
    }

    fn is_inside(self, other: Self) -> bool {
        self.0 >= other.0 && self.1 >= other.1 && self.2 <= other.2 && self.3 <= other.3
    }
}

/// The middle of the left edge of each text, or `None` if there is no room. Texts must not cover `marks`. `corners` are
/// those of the panel.
pub(super) fn place(notes: &[(Pixel, &str)], marks: &[Pixel], corners: [Pixel; 2]) -> Vec<Option<Pixel>> {
    let panel = Area(corners[0].0, corners[0].1, corners[1].0, corners[1].1);
    let mark = |point: &Pixel| Area::around(*point, 4 * FINE);
    let mut taken: Vec<Area> = marks.iter().map(mark).collect();
    let mut places = Vec::new();
    for (at, text) in notes {
        let (width, half) = (theme::text_width(text), TEXT / 2);
        let area = |left: i32, middle: i32| Area(left, middle - half, left + width, middle + half);
        let (gap, up) = (7 * FINE, TEXT * 9 / 10);
        let found = [
            (at.0 + gap, at.1),
            (at.0 - gap - width, at.1),
            (at.0 + gap / 2, at.1 - up),
            (at.0 + gap / 2, at.1 + up),
            (at.0 - gap / 2 - width, at.1 - up),
            (at.0 - gap / 2 - width, at.1 + up),
            (at.0 - width / 2, at.1 - up - FINE),
            (at.0 - width / 2, at.1 + up + FINE),
        ]
        .into_iter()
        .find(|(left, middle)| {
            let area = area(*left, *middle);
            area.is_inside(panel) && !taken.iter().any(|other| area.meets(*other))
        });
        taken.extend(found.map(|(left, middle)| area(left, middle)));
        places.push(found);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cover_neither_marks_nor_each_other_and_stay_inside() {
        let points: Vec<Pixel> = (0..60).map(|i| (100 + i * 37 % 400, 60 + i * 53 % 200)).collect();
        let notes: Vec<(Pixel, &str)> = points.iter().map(|point| (*point, "3/200")).collect();
        let corners = [(0, 0), (600, 300)];
        let places: Vec<Pixel> = place(&notes, &points, corners).into_iter().flatten().collect();
        let width = theme::text_width("3/200");
        assert!(places.len() > 5, "there is room for some");
        for (i, a) in places.iter().enumerate() {
            assert!(a.0 >= 0 && a.0 + width <= 600 && a.1 - TEXT / 2 >= 0 && a.1 + TEXT / 2 <= 300);
            assert!(places[..i].iter().all(|b| (a.0 - b.0).abs() >= width || (a.1 - b.1).abs() >= TEXT));
        }
    }

    #[test]
    fn a_text_alone_stands_right_of_its_point_and_left_of_it_at_the_edge() {
        let corners = [(0, 0), (1_000, 300)];
        let (near, far) = ((100, 100), (990, 100));
        let places = place(&[(near, "a"), (far, "b")], &[near, far], corners);
        assert!(places[0].unwrap().0 > near.0 && places[1].unwrap().0 < far.0);
    }
}
