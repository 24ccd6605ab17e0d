//! A copy of the repository that is changed and built.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::change::Change;
use crate::site;
use crate::site::Number;
use crate::woven;
use crate::woven::Woven;

const PACKAGE: &str = "vault-plugin-secrets-astra";

/// The root of the library.
const LIBRARY: &str = "src/lib.rs";

/// The module that it gets.
const SWITCH: &str = "src/mutant_switch.rs";

/// The copy. Libraries are those of the repository's own target folder.
pub(crate) struct Tree {
    folder: PathBuf,
    target: PathBuf,
    /// What the files that get changes said when they were copied, by name: somebody may go on working in
    /// the repository meanwhile.
    originals: BTreeMap<String, String>,
}

/// What a build with changes in it is.
pub(crate) struct Build {
    /// The program with the tests of the library.
    pub(crate) program: PathBuf,
    /// The changes that do not compile.
    pub(crate) unviable: BTreeSet<Number>,
    /// The changes that cannot be chosen while the program runs.
    pub(crate) apart: BTreeSet<Number>,
}

/// What a build has told of changes.
#[derive(Default, Deserialize, Serialize)]
struct Found {
    /// Which changes of which files.
    print: u64,
    unviable: BTreeSet<Number>,
    apart: BTreeSet<Number>,
}

/// An error of the compiler.
struct Complaint {
    text: String,
    /// The code is in a constant, where nothing can be chosen.
    is_constant: bool,
    /// Where it is, then what it has to do with.
    places: [Vec<(String, Range<usize>)>; 2],
}

enum Built {
    Program(PathBuf),
    Refused(Vec<Complaint>),
}

impl Tree {
    /// Copies the files of a repository, but for those that Git ignores. Those that get changes are only
    /// read, and written with the changes in them: what is the same as in an earlier copy need not be
    /// built again. Nothing is read from the repository later.
    ///
    /// # Errors
    ///
    /// Git or the disk fails.
    pub(crate) fn copy(
        repository: &Path,
        folder: PathBuf,
        changes: &[Change],
    ) -> Result<Self, String> {
        let target = std::path::absolute(repository.join("target"));
        let target = target.map_err(|error| error.to_string())?;
        let changed = changes.iter().map(|change| change.file.as_str());
        let changed: BTreeSet<&str> = changed.chain([LIBRARY]).collect();
        let originals = changed.into_iter().map(|file| {
            let path = repository.join(file);
            let text = fs::read_to_string(&path).map_err(|error| told(&path, &error))?;
            Ok((file.to_owned(), text))
        });
        let tree = Self {
            folder,
            target,
            originals: originals.collect::<Result<_, String>>()?,
        };
        tree.fill(repository)?;
        Ok(tree)
    }

    /// Copies the files that get no changes, and removes what the repository does not have.
    fn fill(&self, repository: &Path) -> Result<(), String> {
        let listed = Command::new("git")
            .current_dir(repository)
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .output();
        let listed = listed.map_err(|error| format!("git ls-files: {error}"))?;
        let listed = String::from_utf8(listed.stdout).map_err(|error| error.to_string())?;
        let mut kept: BTreeSet<PathBuf> = BTreeSet::from([self.folder.join(SWITCH)]);
        for name in listed.split('\0') {
            let file = repository.join(name);
            if !file.is_file() {
                continue;
            }
            let copy = self.folder.join(name);
            if !self.originals.contains_key(name) {
                let bytes = fs::read(&file).map_err(|error| told(&file, &error))?;
                write(&copy, &bytes)?;
            }
            kept.insert(copy);
        }
        remove_all_but(&kept, &self.folder)
    }

    /// The folder in which tests run.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds all changes into one program and leaves out those that do not compile. What was found
    /// of the same changes of the same files before is in the file `known`.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written, or the code does not compile for another reason.
    pub(crate) fn build(&self, changes: &[Change], known: &Path) -> Result<Build, String> {
        let print = self.print(changes)?;
        let text = fs::read(known).unwrap_or_default();
        let found = serde_json::from_slice::<Found>(&text).unwrap_or_default();
        let found = if found.print == print {
            found
        } else {
            Found {
                print,
                ..Found::default()
            }
        };
        let (mut unviable, mut apart) = (found.unviable, found.apart);
        loop {
            let left_out: BTreeSet<Number> = unviable.union(&apart).copied().collect();
            let files = self.weave(changes, &left_out, &mut apart)?;
            let complaints = match self.compile()? {
                Built::Program(program) => {
                    let found = Found {
                        print,
                        unviable: unviable.clone(),
                        apart: apart.clone(),
                    };
                    let text = serde_json::to_vec(&found).map_err(|error| error.to_string())?;
                    write(known, &text)?;
                    return Ok(Build {
                        program,
                        unviable,
                        apart,
                    });
                }
                Built::Refused(complaints) => complaints,
            };
            let known = unviable.len() + apart.len();
            for complaint in &complaints {
                let of_place = |(file, bytes): &(String, Range<usize>)| {
                    files.get(file).map(|woven| woven.changes_at(bytes))
                };
                // Both sides of a choice are of one type, and the compiler takes either as wrong.
                let found = complaint.places.iter().map(|places| {
                    let found = places.iter().filter_map(of_place).flatten();
                    found.collect::<Vec<Number>>()
                });
                let found = found.into_iter().find(|found| !found.is_empty());
                let found = found.unwrap_or_default();
                if complaint.is_constant {
                    apart.extend(found);
                } else {
                    unviable.extend(found);
                }
            }
            if known == unviable.len() + apart.len() {
                let texts: Vec<&str> = complaints.iter().map(|one| one.text.as_str()).collect();
                return Err(format!("the code does not compile:\n{}", texts.join("\n")));
            }
            eprintln!("mutants: {} changes do not compile", unviable.len());
        }
    }

    /// Builds one change alone; `None` if it does not compile.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub(crate) fn build_alone(&self, change: &Change) -> Result<Option<PathBuf>, String> {
        for (file, text) in &self.originals {
            write(&self.folder.join(file), text.as_bytes())?;
        }
        let text = self.original(&change.file)?;
        let changed = site::replaced(text, change);
        write(&self.folder.join(&change.file), changed.as_bytes())?;
        let built = self.compile()?;
        write(&self.folder.join(&change.file), text.as_bytes())?;
        match built {
            Built::Program(program) => Ok(Some(program)),
            Built::Refused(_) => Ok(None),
        }
    }

    /// Writes the files with all changes but those that are left out; adds to `apart` what cannot be
    /// written so.
    fn weave(
        &self,
        changes: &[Change],
        left_out: &BTreeSet<Number>,
        apart: &mut BTreeSet<Number>,
    ) -> Result<BTreeMap<String, Woven>, String> {
        let mut by_file: BTreeMap<&str, Vec<(Number, &Change)>> = BTreeMap::new();
        for (number, change) in changes.iter().enumerate() {
            let of_file = by_file.entry(&change.file).or_default();
            if !left_out.contains(&number) {
                of_file.push((number, change));
            }
        }
        let mut files = BTreeMap::new();
        for (file, changes) in by_file {
            let text = self.original(file)?;
            let (sites, more) =
                site::sites(text, &changes).map_err(|error| format!("{file}: {error}"))?;
            apart.extend(more);
            let woven = Woven::new(text, &sites);
            write(&self.folder.join(file), woven.text.as_bytes())?;
            files.insert(file.to_owned(), woven);
        }
        write(&self.folder.join(SWITCH), woven::SWITCH.as_bytes())?;
        let library = format!("{}\nmod mutant_switch;\n", self.original(LIBRARY)?);
        write(&self.folder.join(LIBRARY), library.as_bytes())?;
        Ok(files)
    }

    /// What the file said when it was copied.
    fn original(&self, file: &str) -> Result<&str, String> {
        let text = self.originals.get(file).map(String::as_str);
        text.ok_or_else(|| format!("{file}: the copy was not made for changes of this file"))
    }

    /// A number for the changes and their files, which is another for others.
    fn print(&self, changes: &[Change]) -> Result<u64, String> {
        let mut hasher = DefaultHasher::new();
        let mut last = "";
        for change in changes {
            if change.file != last {
                self.original(&change.file)?.hash(&mut hasher);
                last = &change.file;
            }
            (&change.name, &change.replacement).hash(&mut hasher);
        }
        Ok(hasher.finish())
    }

    /// Compiles the tests of the library.
    ///
    /// # Errors
    ///
    /// Cargo fails for another reason than an error in the code.
    fn compile(&self) -> Result<Built, String> {
        let output = Command::new("cargo")
            .args([
                "test",
                "--locked",
                "--lib",
                "--no-run",
                "--package",
                PACKAGE,
            ])
            .arg("--message-format=json")
            .args([
                "--config",
                &format!("profile.dev.package.{PACKAGE}.debug=false"),
            ])
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TARGET_DIR", &self.target)
            .current_dir(&self.folder)
            .stderr(Stdio::null())
            .output()
            .map_err(|error| format!("cargo: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let messages: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if output.status.success() {
            let program = messages.iter().find_map(program_of);
            return program
                .map(Built::Program)
                .ok_or_else(|| "cargo names no program".to_owned());
        }
        let complaints: Vec<Complaint> = messages.iter().filter_map(complaint).collect();
        // The disk, or what killed it, is no fault of the code.
        if complaints.is_empty() {
            return Err(format!("cargo: {}", output.status));
        }
        Ok(Built::Refused(complaints))
    }
}

fn program_of(message: &Value) -> Option<PathBuf> {
    let is_library = message["target"]["kind"][0] == "lib";
    let program = message["executable"].as_str()?;
    (is_library && message["profile"]["test"] == true).then(|| PathBuf::from(program))
}

fn complaint(message: &Value) -> Option<Complaint> {
    let message = &message["message"];
    if message["level"] != "error" {
        return None;
    }
    let spans = message["spans"].as_array()?;
    let mut places = [Vec::new(), Vec::new()];
    for span in spans {
        let of_rank = &mut places[usize::from(span["is_primary"] != true)];
        let mut span = span;
        while span.is_object() {
            of_rank.extend(place(span));
            span = &span["expansion"]["span"];
        }
    }
    let text = message["rendered"].as_str()?.to_owned();
    let is_constant = message["code"]["code"] == "E0015";
    (!spans.is_empty()).then_some(Complaint {
        text,
        is_constant,
        places,
    })
}

fn place(span: &Value) -> Option<(String, Range<usize>)> {
    let file = span["file_name"].as_str()?.to_owned();
    let start = usize::try_from(span["byte_start"].as_u64()?).ok()?;
    let end = usize::try_from(span["byte_end"].as_u64()?).ok()?;
    Some((file, start..end))
}

/// Removes what an earlier copy has and the repository does not.
fn remove_all_but(tracked: &BTreeSet<PathBuf>, folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| told(folder, &error))?;
    let entries = fs::read_dir(folder).map_err(|error| told(folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| told(folder, &error))?.path();
        if path.is_dir() {
            remove_all_but(tracked, &path)?;
        } else if !tracked.contains(&path) {
            fs::remove_file(&path).map_err(|error| told(&path, &error))?;
        }
    }
    Ok(())
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Writes a file, unless it is the same already and need not be built again.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|known| known == bytes) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|error| told(path, &error))
}
