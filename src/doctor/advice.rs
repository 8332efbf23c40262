//! What each code means and how it is mended in each proxy's own language: the sections of docs/doctor.md, so that the
//! page and the program cannot say two things.

use std::fmt;

use serde::Serialize;

/// Every code, with what follows from it, and the lines that mend it.
const CODES: &str = include_str!("../../docs/doctor.md");

/// What stands in front of the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proxy {
    /// nginx, `auth_request`.
    Nginx,
    /// Caddy, `forward_auth`.
    Caddy,
    /// Traefik, `ForwardAuth`.
    Traefik,
    /// HAProxy with our Lua.
    Haproxy,
    /// Envoy, `ext_authz`.
    Envoy,
    /// The gate itself.
    Edge,
}

impl Proxy {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Nginx, Self::Caddy, Self::Traefik, Self::Haproxy, Self::Envoy, Self::Edge];

    /// As the command line and the fences of the document spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Edge => "edge",
        }
    }

    /// From the command line.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proxy| proxy.as_str() == text)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of the document about one code.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// `D030`
    pub code: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    body: &'static str,
}

/// A line of a section.
enum Line {
    /// A fenced block begins; what is said about it.
    Begin(&'static str),
    /// In a block.
    Mend(&'static str),
    /// Outside.
    Text(&'static str),
}

/// Lines for one proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mend {
    /// Whose language it is.
    pub proxy: &'static str,
    /// Where the lines belong.
    pub place: &'static str,
    /// The lines.
    pub lines: Vec<&'static str>,
}

/// All of them, in the order of the document.
pub fn sections() -> impl Iterator<Item = Section> {
    CODES.split("\n## ").skip(1).filter_map(|section| {
        let (heading, body) = section.split_once('\n')?;
        let (code, title) = heading.split_once(": ")?;
        Some(Section { code, title, body: body.trim() })
    })
}

/// The section of a code.
pub fn section(code: &str) -> Option<Section> {
    let wanted = code.trim().to_ascii_uppercase();
    sections().find(|section| section.code == wanted)
}

impl Section {
    /// What follows from it: the first paragraph, on one line.
    pub fn meaning(&self) -> String {
        let first = self.body.split("\n\n").next().unwrap_or_default();
        first.lines().collect::<Vec<_>>().join(" ")
    }

    /// What stands in it, line by line.
    fn lines(&self) -> impl Iterator<Item = Line> {
        let mut block = None;
        self.body.lines().filter_map(move |line| {
            let Some(info) = line.strip_prefix("```") else {
                return Some(if block.is_some() { Line::Mend(line) } else { Line::Text(line) });
            };
            block = if block.is_some() { None } else { Some(info) };
            block.map(Line::Begin)
        })
    }

    /// All lines that mend it.
    pub fn mends(&self) -> Vec<Mend> {
        let mut mends: Vec<Mend> = Vec::new();
        for line in self.lines() {
            match line {
                Line::Begin(info) => {
                    let (proxy, place) = info.split_once(' ').unwrap_or((info, ""));
                    mends.push(Mend { proxy, place, lines: Vec::new() });
                }
                Line::Mend(line) => mends.last_mut().map_or((), |mend| mend.lines.push(line)),
                Line::Text(_) => {}
            }
        }
        mends
    }

    /// The lines for one proxy, or for every one while it is not known which it is.
    pub fn mends_for(&self, proxy: Option<Proxy>) -> Vec<Mend> {
        let wanted = |mend: &Mend| match proxy {
            Some(proxy) => mend.proxy == proxy.as_str() || mend.proxy == "panelgate",
            None => true,
        };
        self.mends().into_iter().filter(wanted).collect()
    }

    /// As it is read in a terminal.
    pub fn plain(&self) -> String {
        let mut text = format!("{}: {}\n\n", self.code, self.title);
        for line in self.lines() {
            match line {
                Line::Begin(info) => text.extend([info, ":\n\n"]),
                Line::Mend("") | Line::Text("") => text.push('\n'),
                Line::Mend(line) => text.extend(["    ", line, "\n"]),
                Line::Text(line) => text.extend([line, "\n"]),
            }
        }
        text
    }
}
