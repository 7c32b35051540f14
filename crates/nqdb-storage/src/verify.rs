//! Checks a whole data file: every page is the meta page, a member of the free list, or in exactly one place of one tree.
//!
//! Pages come through the pool, so every page that is not in memory has its checksum compared; on an engine that has just
//! been opened those are all but the few that recovery touched. Nobody may change anything meanwhile.

use crate::engine::Engine;
use crate::error::{Result, StorageError};
use crate::ids::{PageId, TreeId};
use crate::page::{Entry, PageType};
use crate::tree::{Tree, TreeReport};
use std::sync::Arc;

/// What a sound data file consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// Pages ever used, the meta page included.
    pub pages: u64,
    pub free_pages: u64,
    /// In the order in which the trees were given.
    pub trees: Vec<(TreeId, TreeReport)>,
}

/// Checks the data file, which holds exactly these trees (id and root page), and shows every entry to `visit`. `Corrupt`
/// names the first page that is wrong.
pub fn verify_file(
    engine: &Arc<Engine>,
    trees: &[(TreeId, PageId)],
    visit: &mut dyn FnMut(TreeId, &[u8], Entry<'_>),
) -> Result<FileReport> {
    let mut places = Places::new(engine.page_count());
    places.take(PageId::META)?;
    let mut report = FileReport { pages: engine.page_count(), ..FileReport::default() };
    for &(id, root) in trees {
        let tree = Tree::open(Arc::clone(engine), id, root);
        let tree_report = tree.verify_pages(&mut |page| places.take(page), &mut |key, entry| visit(id, key, entry))?;
        report.trees.push((id, tree_report));
    }
    report.free_pages = verify_free_list(engine, &mut places)?;
    match places.first_untaken() {
        None => Ok(report),
        Some(leaked) => Err(StorageError::corrupt_page(leaked, "it is neither free nor part of a tree")),
    }
}

fn verify_free_list(engine: &Engine, places: &mut Places) -> Result<u64> {
    let (head, expected) = engine.free_list()?;
    let mut next = Some(head).filter(|head| head.is_some());
    let mut count = 0;
    while let Some(id) = next {
        places.take(id)?;
        let pin = engine.fetch_scan(id)?;
        let page = pin.read();
        if page.page_type() != Some(PageType::Free) {
            return Err(StorageError::corrupt_page(id, "the free list leads to it, and it is not free"));
        }
        next = page.right();
        count += 1;
    }
    if count != expected {
        let what = format!("it counts {expected} free pages, and their list has {count}");
        return Err(StorageError::corrupt_page(PageId::META, what));
    }
    Ok(count)
}

/// Which pages have been met.
struct Places(Vec<bool>);

impl Places {
    fn new(page_count: u64) -> Places {
        Places(vec![false; page_count as usize])
    }

    /// Meets a page, for the first time.
    fn take(&mut self, id: PageId) -> Result<()> {
        let place = usize::try_from(id.0).ok().and_then(|index| self.0.get_mut(index));
        let place = place.ok_or_else(|| StorageError::corrupt_page(id, "a link leads to it, behind the last page"))?;
        if std::mem::replace(place, true) {
            return Err(StorageError::corrupt_page(id, "more than one link leads to it"));
        }
        Ok(())
    }

    fn first_untaken(&self) -> Option<PageId> {
        self.0.iter().position(|taken| !taken).map(|index| PageId(index as u64))
    }
}
