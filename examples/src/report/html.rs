//! The report as one page that needs nothing else: what was opened, and what it cost.

use super::{Report, human, peak_rss_bytes, scope_title};
use ezpc_core::transport::{Counts, Phase};
use std::fmt::Write as _;

/// Colours that are told apart in print, and on a dark screen.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2733;--soft:#5b6b7b;--line:#d7dee6;--paper:#fff;--sent:#2f6fb3;--got:#e0913a}\
@media(prefers-color-scheme:dark){:root{--ink:#e4eaf0;--soft:#97a6b5;--line:#36424f;--paper:#141b22}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2.5rem auto;\
padding:0 1.5rem}h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}\
p{margin:.3rem 0}.soft{color:var(--soft)}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{padding:.25rem .8rem;text-align:right;border-bottom:1px solid var(--line)}th{color:var(--soft);font-weight:600}\
td:first-child,th:first-child{text-align:left;padding-left:0}tr:last-child td{border-bottom:0}\
.matrix td,.matrix th{text-align:center;padding:.2rem .55rem}code{font-size:.85em;overflow-wrap:anywhere}\
svg text{fill:var(--ink);font-size:12px}svg .n{fill:var(--soft)}";

impl Report {
    /// The page.
    pub(crate) fn to_html(&self) -> String {
        let title = self.lines.first().map_or("a run of ezpc", String::as_str);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n<style>{STYLE}</style></head>\n\
             <body>\n<h1>{0}</h1>\n",
            escape(title)
        );
        self.opened_table(&mut page);
        for (name, rows) in &self.matrices {
            matrix(&mut page, name, rows);
        }
        self.cost(&mut page);
        if !self.facts.is_empty() {
            page += "<h2>What was run</h2>\n<table>\n";
            for (name, value) in &self.facts {
                let _ = writeln!(
                    page,
                    "<tr><td>{}</td><td><code>{}</code></td></tr>",
                    escape(name),
                    escape(value)
                );
            }
            page += "</table>\n";
        }
        page + "</body></html>\n"
    }

    fn opened_table(&self, page: &mut String) {
        if self.opened.is_empty() {
            return;
        }
        *page += "<h2>What was opened</h2>\n<p class=\"soft\">Both parties learned this, and nothing else of the other's \
                  model or data than their sizes and the model card.</p>\n<table>\n<tr><th></th><th>value</th><th>as</th></tr>\n";
        for [name, value, form] in &self.opened {
            let cells = [name, value, form].map(|cell| escape(cell));
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td class=\"soft\">{}</td></tr>",
                cells[0], cells[1], cells[2]
            );
        }
        *page += "</table>\n";
    }

    fn cost(&self, page: &mut String) {
        let total = self.stats.total();
        let _ = writeln!(
            page,
            "<h2>What it cost</h2>\n<p>{:.2} s (setup {:.2} s), {} sent, {} received, {} half-rounds, peak memory {}</p>",
            self.seconds,
            self.stats.phase(Phase::Setup).seconds,
            human(total.bytes_sent),
            human(total.bytes_received),
            total.half_rounds,
            human(peak_rss_bytes()),
        );
        let scopes: Vec<(&str, Counts)> = self.named_scopes().collect();
        chart(page, &scopes);
        *page += "<table>\n<tr><th>layer</th><th>seconds</th><th>sent</th><th>received</th><th>half-rounds</th>\
                  <th>failure</th></tr>\n";
        for (name, counts) in &scopes {
            let cells: String =
                self.cells(name, *counts).iter().map(|c| format!("<td>{}</td>", escape(c))).collect();
            let _ = writeln!(page, "<tr><td>{}</td>{cells}</tr>", escape(scope_title(name)));
        }
        *page += "</table>\n";
    }
}

/// Bars of the bytes of each layer, those sent and those received.
fn chart(page: &mut String, scopes: &[(&str, Counts)]) {
    let most = scopes.iter().map(|(_, c)| c.bytes_sent + c.bytes_received).max().unwrap_or(0).max(1) as f64;
    let (row, left, width) = (20, 190, 560);
    let height = scopes.len() * row + 26;
    let _ = writeln!(
        page,
        "<svg viewBox=\"0 0 860 {height}\" width=\"100%\" role=\"img\" aria-label=\"bytes of each layer\">\
         <rect x=\"{left}\" y=\"3\" width=\"11\" height=\"11\" style=\"fill:var(--sent)\"/><text x=\"206\" y=\"13\">sent</text>\
         <rect x=\"250\" y=\"3\" width=\"11\" height=\"11\" style=\"fill:var(--got)\"/><text x=\"266\" y=\"13\">received</text>"
    );
    for (i, (name, c)) in scopes.iter().enumerate() {
        let y = i * row + 24;
        let wide = |bytes: u64| bytes as f64 / most * f64::from(width);
        let (sent, got) = (wide(c.bytes_sent), wide(c.bytes_received));
        let short: String = scope_title(name).chars().take(26).collect();
        let _ = writeln!(
            page,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{left}\" y=\"{y}\" width=\"{sent:.1}\" height=\"14\" style=\"fill:var(--sent)\"/>\
             <rect x=\"{:.1}\" y=\"{y}\" width=\"{got:.1}\" height=\"14\" style=\"fill:var(--got)\"/>\
             <text class=\"n\" x=\"{:.1}\" y=\"{}\">{}</text>",
            left - 8,
            y + 12,
            escape(&short),
            f64::from(left) + sent,
            f64::from(left) + sent + got + 6.0,
            y + 12,
            human(c.bytes_sent + c.bytes_received),
        );
    }
    *page += "</svg>\n";
}

/// A table of counts, darker where they are larger.
fn matrix(page: &mut String, name: &str, rows: &[Vec<u64>]) {
    let most = rows.iter().flatten().copied().max().unwrap_or(0).max(1) as f64;
    let _ = writeln!(
        page,
        "<h2>{}</h2>\n<p class=\"soft\">rows: labels, columns: answers</p>\n<table class=\"matrix\">\n<tr><th></th>{}</tr>",
        escape(name),
        (0..rows.len()).map(|c| format!("<th>{c}</th>")).collect::<String>()
    );
    for (label, row) in rows.iter().enumerate() {
        let _ = write!(page, "<tr><th>{label}</th>");
        for &count in row {
            let shade = (count as f64 / most * 0.6 * 100.0).round() / 100.0;
            let _ = write!(page, "<td style=\"background:rgb(47 111 179/{shade})\">{count}</td>");
        }
        *page += "</tr>\n";
    }
    *page += "</table>\n";
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '&' => safe += "&amp;",
            '"' => safe += "&quot;",
            c => safe.push(c),
        }
    }
    safe
}
