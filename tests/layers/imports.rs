//! Which source file uses which: paths resolved through `super`, imports and re-exports.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use proc_macro2::TokenTree;
use syn::Item;
use syn::UseTree;
use syn::visit;
use syn::visit::Visit;

use super::sources::is_test;

/// A module's path from the root of its crate.
type ModulePath = Vec<String>;

/// One module: where it is written, what it defines and what it imports.
#[derive(Default)]
struct Module {
    file: String,
    /// Names of the items that are written here.
    items: BTreeSet<String>,
    /// Names that imports and re-exports bring in, with the paths as they are written.
    imported: BTreeMap<String, Vec<String>>,
    /// Paths of glob imports.
    globs: Vec<Vec<String>>,
    /// All paths in the module, as they are written.
    paths: Vec<Vec<String>>,
}

/// The modules of one crate.
pub(crate) struct Crate {
    modules: BTreeMap<ModulePath, Module>,
    /// The name under which a binary of the package uses its library.
    name: String,
}

impl Crate {
    /// The crate of `files`, named relative to the package; `root` is its source folder.
    pub(crate) fn new(root: &str, name: &str, files: Vec<(String, syn::File)>) -> Self {
        let mut modules = BTreeMap::new();
        for (file, syntax) in files {
            let path = module_path(root, &file);
            read_module(&mut modules, path, &file, &syntax.items);
        }
        Self {
            modules,
            name: name.to_owned(),
        }
    }

    /// Which file uses which other; a facade that only re-exports what is below it uses nothing.
    pub(crate) fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (path, module) in &self.modules {
            let found = uses.entry(&module.file).or_default();
            for written in &module.paths {
                let used = self.file_of(path, written, 0);
                found.extend(used.filter(|used| *used != module.file));
            }
        }
        uses
    }

    /// The file that defines what `written` means in the module `at`, if it is in this crate.
    fn file_of(&self, at: &[String], written: &[String], depth: usize) -> Option<&str> {
        // An import that leads back to itself is for the compiler to refuse.
        if depth > 16 {
            return None;
        }
        let (first, rest) = written.split_first()?;
        let (mut place, mut rest) = match first.as_str() {
            "crate" => (Vec::new(), rest),
            name if name == self.name => (Vec::new(), rest),
            "self" => (at.to_vec(), rest),
            "super" => (at.split_last()?.1.to_vec(), rest),
            _ => (at.to_vec(), written),
        };
        while let Some(("super", more)) =
            rest.split_first().map(|(name, more)| (name.as_str(), more))
        {
            place.pop();
            rest = more;
        }
        let is_anchored = rest.len() < written.len();
        while let Some((name, more)) = rest.split_first() {
            let mut below = place.clone();
            below.push(name.clone());
            if !self.modules.contains_key(&below) {
                break;
            }
            (place, rest) = (below, more);
        }
        let module = self.modules.get(&place)?;
        let Some((name, more)) = rest.split_first() else {
            return Some(&module.file);
        };
        if module.items.contains(name) {
            return Some(&module.file);
        }
        if let Some(target) = module.imported.get(name) {
            let target: Vec<String> = target.iter().chain(more).cloned().collect();
            return self.file_of(&place, &target, depth + 1);
        }
        let by_glob = module.globs.iter().find_map(|glob| {
            let target: Vec<String> = glob.iter().chain(rest).cloned().collect();
            let file = self.file_of(&place, &target, depth + 1)?;
            (file != module.file).then_some(file)
        });
        // A plain name that is not found is another crate's, or the language's.
        by_glob.or_else(|| is_anchored.then_some(module.file.as_str()))
    }
}

/// `src/vault/codec/mod.rs` is the module `vault::codec`.
fn module_path(root: &str, file: &str) -> ModulePath {
    let inside = file
        .strip_prefix(root)
        .unwrap_or(file)
        .trim_start_matches('/');
    let mut path: ModulePath = inside
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if matches!(path.last().map(String::as_str), Some("mod")) {
        path.pop();
    }
    if path == ["lib"] {
        path.clear();
    }
    path
}

fn read_module(
    modules: &mut BTreeMap<ModulePath, Module>,
    path: ModulePath,
    file: &str,
    items: &[Item],
) {
    let mut module = Module {
        file: file.to_owned(),
        ..Module::default()
    };
    for item in items {
        if let Item::Mod(inline) = item {
            if let (false, Some((_, items))) = (is_test(&inline.attrs), &inline.content) {
                let mut below = path.clone();
                below.push(inline.ident.to_string());
                read_module(modules, below, file, items);
            }
            continue;
        }
        module.visit_item(item);
    }
    modules.insert(path, module);
}

impl Module {
    fn import(&mut self, before: &[String], tree: &UseTree, is_facade: bool) {
        let with = |name: &str| -> Vec<String> {
            before.iter().cloned().chain([name.to_owned()]).collect()
        };
        match tree {
            UseTree::Path(path) => {
                self.import(&with(&path.ident.to_string()), &path.tree, is_facade);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(before, tree, is_facade);
                }
            }
            UseTree::Glob(_) => self.globs.push(before.to_vec()),
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                if name == "self" {
                    let last = before.last().cloned().unwrap_or_default();
                    self.add_import(last, before.to_vec(), is_facade);
                } else {
                    let path = with(&name);
                    self.add_import(name, path, is_facade);
                }
            }
            UseTree::Rename(rename) => {
                let path = with(&rename.ident.to_string());
                self.add_import(rename.rename.to_string(), path, is_facade);
            }
        }
    }

    fn add_import(&mut self, name: String, path: Vec<String>, is_facade: bool) {
        let is_own = !matches!(path.first().map(String::as_str), Some("crate" | "super"));
        if !(is_facade && is_own) {
            self.paths.push(path.clone());
        }
        self.imported.insert(name, path);
    }

    /// Paths inside the arguments of macros, which are only tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.finish(&mut path);
                    }
                    path.push(name.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            self.finish(&mut path);
            colons = 0;
        }
        self.finish(&mut path);
    }

    fn finish(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.paths.push(path);
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Const(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            Item::Static(item) => (&item.attrs, Some(&item.ident)),
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Union(item) => (&item.attrs, Some(&item.ident)),
            Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            Item::Impl(item) => (&item.attrs, None),
            Item::Mod(item) => (&item.attrs, None),
            Item::Use(item) => {
                if !is_test(&item.attrs) {
                    let is_facade = !matches!(item.vis, syn::Visibility::Inherited);
                    self.import(&[], &item.tree, is_facade);
                }
                return;
            }
            _ => return,
        };
        if is_test(attributes) {
            return;
        }
        self.items.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect(),
        );
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}
