//! The frame of a page with plots and tables, for results that are not a run. The page of a run is in `html`.

use std::io;

use super::plot::{Sheet, theme};
use super::text::{cut, escape};

const STYLE: &str = include_str!("report.css");

/// The most characters of one cell.
const MOST_TEXT: usize = 2_000;

/// A page that is being written.
#[derive(Debug)]
pub(crate) struct Page(String);

impl Page {
    /// The head of a page.
    pub(crate) fn new(title: &str) -> Self {
        Self(format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <link rel=\"icon\" href=\"data:,\"/>\n<title>{}</title>\n\
             <style>\n{STYLE}@media (prefers-color-scheme: dark) {{ {} }}\n</style>\n</head>\n<body>\n<main>\n",
            escape(title),
            theme::dark_rules(),
        ))
    }

    /// Adds HTML as it is.
    pub(crate) fn html(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// Adds plots, each with its heading and caption.
    pub(crate) fn figures(&mut self, sheets: &[Sheet]) -> io::Result<()> {
        for sheet in sheets {
            let [wide, narrow] = sheet.inline()?;
            let (title, caption) = (escape(&sheet.title), escape(&sheet.caption));
            self.0.push_str(&format!(
                "<figure class=\"card\">\n<h3>{title}</h3>\n<figcaption>{caption}</figcaption>\n{wide}\n{narrow}\n</figure>\n"
            ));
        }
        Ok(())
    }

    /// The whole page.
    pub(crate) fn end(mut self) -> String {
        self.0.push_str("</main>\n</body>\n</html>\n");
        self.0
    }
}

/// A table in a box that scrolls by itself. Columns whose name begins with `#` are numbers.
pub(crate) fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let class = |column: &str| if column.starts_with('#') { " class=\"n\"" } else { "" };
    let mut out = "<div class=\"scroll\">\n<table>\n<thead><tr>".to_owned();
    for column in columns {
        out.push_str(&format!("<th{}>{}</th>", class(column), escape(column.trim_start_matches('#'))));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (column, cell) in columns.iter().zip(row) {
            let long =
                if class(column).is_empty() && cell.chars().count() > 40 { " class=\"long\"" } else { class(column) };
            out.push_str(&format!("<td{long}>{}</td>", escape(&cut(cell, MOST_TEXT))));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
    out
}
