//! One page of a long list.

use url::form_urlencoded;

use crate::portal::{context::Cx, pages::Pager};

/// What fits into 30 KB of page.
const PER_PAGE: usize = 25;

/// One page of a list.
pub(crate) struct Paged<T> {
    pub(crate) items: Vec<T>,
    /// From 1.
    pub(crate) page: usize,
    pub(crate) pages: usize,
    pub(crate) total: usize,
    pub(crate) earlier: Option<String>,
    pub(crate) later: Option<String>,
}

impl<T> Paged<T> {
    /// The page that the query asks for; the nearest there is, if there is none of that number. `filter` is the query
    /// parameter that is carried from page to page.
    pub(crate) fn new(cx: &Cx, all: Vec<T>, at: &str, filter: (&str, &str)) -> Self {
        let wanted = cx.query("page").and_then(|page| page.parse().ok()).unwrap_or(1);
        Self::cut(all, wanted, at, filter)
    }

    fn cut(all: Vec<T>, wanted: usize, at: &str, (name, value): (&str, &str)) -> Self {
        let total = all.len();
        let pages = total.div_ceil(PER_PAGE).max(1);
        let page = wanted.clamp(1, pages);
        let items = all.into_iter().skip((page - 1) * PER_PAGE).take(PER_PAGE).collect();
        let link = |page: usize| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            if !value.is_empty() {
                query.append_pair(name, value);
            }
            format!("{at}?{}", query.append_pair("page", &page.to_string()).finish())
        };
        let (earlier, later) = ((page > 1).then(|| link(page - 1)), (page < pages).then(|| link(page + 1)));
        Self { items, page, pages, total, earlier, later }
    }
}

impl<T> From<Paged<T>> for Pager {
    fn from(paged: Paged<T>) -> Self {
        let Paged { page, pages, total, earlier, later, .. } = paged;
        Self { page, pages, total, earlier, later }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(total: usize, wanted: usize) -> (Option<usize>, usize, usize, Option<String>, Option<String>) {
        let paged = Paged::cut((0..total).collect(), wanted, "/list", ("q", "a&b"));
        (paged.items.first().copied(), paged.items.len(), paged.pages, paged.earlier, paged.later)
    }

    #[test]
    fn every_item_is_on_exactly_one_page_and_the_filter_is_carried_along() {
        let link = |page: usize| Some(format!("/list?q=a%26b&page={page}"));
        assert_eq!(cut(0, 1), (None, 0, 1, None, None));
        assert_eq!(cut(25, 1), (Some(0), 25, 1, None, None));
        assert_eq!(cut(26, 1), (Some(0), 25, 2, None, link(2)));
        assert_eq!(cut(26, 2), (Some(25), 1, 2, link(1), None));
        for beyond in [3, usize::MAX] {
            assert_eq!(cut(26, beyond).0, Some(25), "the last one");
        }
        assert_eq!(cut(26, 0).0, Some(0));
    }
}
