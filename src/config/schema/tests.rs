//! The schemas against the readers, both ways, and against a validator that somebody else has written.
//!
//! The readers say which keys and words they know when they meet a stranger: every place of a full document gets one,
//! and what is said there must be what the schema says.

mod validator;

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use serde_json::Value as Json;

use super::{CONFIG, POLICY, TESTS, resolved};
use crate::{
    config::{Environment, read, sources::Sources, yaml},
    rules::{
        policy::{compile, testing::Suite},
        written::{Findings, Key, Node, Problem, Value},
    },
};

const KINDS: [&str; 3] = ["config", "policy", "test"];

const STRANGER: &str = "zzzz-zzzz-zzzz";

fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The files that the sound configurations name.
fn surroundings() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    for name in ["policy.yaml", "good.headers", "good.secret", "master.key"] {
        put(name, &fs::read(corpus().join("beside").join(name)).unwrap());
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key);
    put("sound.crt", certificate.unwrap().pem().as_bytes());
    put("sound.key", key.serialize_pem().as_bytes());
    for (name, database) in [("sound", "City"), ("asn", "ASN")] {
        let file = corpus().join(format!("../data/geoip/GeoLite2-{database}-Test.mmdb"));
        put(&format!("{name}.mmdb"), &fs::read(file).unwrap());
    }
    folder
}

/// What the reader says about a tree.
fn said(kind: &str, root: &Node, folder: &Path) -> Vec<Problem> {
    if kind == "policy" {
        let mut found = Findings::default();
        compile(root, &mut found);
        return found.sorted();
    }
    if kind == "test" {
        let mut found = Findings::default();
        let rules = compile(&tree("policy-full.yaml"), &mut Findings::default()).unwrap();
        Suite::read(root, &rules, &mut found);
        return found.sorted();
    }
    let environment = Environment::new();
    let mut sources = Sources::new(&environment);
    read::settings(root, &folder.join("config.yaml"), &mut sources);
    sources.found.sorted()
}

fn tree(name: &str) -> Node {
    let text = fs::read_to_string(corpus().join("sound").join(name)).unwrap();
    let mut found = Findings::default();
    yaml::parse(&Arc::from(name), &text, &mut found).unwrap_or_else(|| panic!("{:?}", found.sorted()))
}

/// Where something stands: child after child.
type Way = Vec<usize>;

fn at<'n>(root: &'n mut Node, way: &[usize]) -> &'n mut Node {
    way.iter().fold(root, |node, step| match &mut node.value {
        Value::Map(entries) => &mut entries[*step].1,
        Value::List(items) => &mut items[*step],
        Value::Null | Value::Scalar(_) => panic!("nothing is below"),
    })
}

/// Everything that a schema says about the places of a document.
#[derive(Default)]
struct Places {
    /// Mappings with the keys that the schema knows there.
    mappings: Vec<(Way, String, BTreeSet<String>)>,
    /// Values with the words that the schema knows there.
    words: Vec<(Way, String, BTreeSet<String>)>,
    /// `site.name` and so on, by the name of the definition.
    seen: BTreeSet<String>,
}

fn walk(schema: &Json, spec: &Json, node: &Node, way: &Way, name: &str, places: &mut Places) {
    let name =
        spec.get("$ref").and_then(Json::as_str).map_or(name, |place| place.rsplit('/').next().unwrap());
    let spec = fitting(schema, resolved(schema, spec).unwrap(), node);
    let step = |index: usize| [way.as_slice(), &[index]].concat();
    match &node.value {
        Value::Map(entries) => {
            let properties = spec.get("properties").and_then(Json::as_object);
            if let Some(properties) = properties {
                assert_eq!(spec["additionalProperties"], Json::Bool(false), "{name}");
                places.mappings.push((way.clone(), name.to_owned(), properties.keys().cloned().collect()));
            }
            for (index, (key, below)) in entries.iter().enumerate() {
                let own = properties.and_then(|properties| properties.get(&key.text));
                let own = own.unwrap_or_else(|| &spec["additionalProperties"]);
                assert!(own.is_object(), "{name}.{}: the schema does not know it", key.text);
                places.seen.insert(format!("{name}.{}", key.text));
                walk(schema, own, below, &step(index), &format!("{name}.{}", key.text), places);
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(schema, &spec["items"], item, &step(index), &format!("{name}[]"), places);
            }
        }
        Value::Scalar(_) => {
            if let Some(words) = spec.get("enum").and_then(Json::as_array) {
                let word = |word: &Json| word.as_str().map_or_else(|| word.to_string(), str::to_owned);
                places.words.push((way.clone(), name.to_owned(), words.iter().map(word).collect()));
            }
        }
        Value::Null => panic!("{name} is empty"),
    }
}

/// The alternative that is of the shape of the node.
fn fitting<'s>(schema: &'s Json, spec: &'s Json, node: &Node) -> &'s Json {
    let Some(ways) = spec.get("oneOf").and_then(Json::as_array).filter(|_| spec.get("type").is_none()) else {
        return spec;
    };
    let mapping = matches!(node.value, Value::Map(_));
    let ways = ways.iter().map(|way| resolved(schema, way).unwrap());
    ways.into_iter().find(|way| (way.get("type") == Some(&"object".into())) == mapping).unwrap()
}

/// Every `definition.key` of a schema.
fn all_keys(schema: &Json, spec: &Json, name: &str, keys: &mut BTreeSet<String>) {
    if let Some(place) = spec.get("$ref").and_then(Json::as_str) {
        let name = place.rsplit('/').next().unwrap();
        if keys.insert(format!("${name}")) {
            all_keys(schema, resolved(schema, spec).unwrap(), name, keys);
        }
        return;
    }
    for (key, below) in spec.get("properties").and_then(Json::as_object).into_iter().flatten() {
        keys.insert(format!("{name}.{key}"));
        all_keys(schema, below, &format!("{name}.{key}"), keys);
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(below) = spec.get(key).filter(|below| below.is_object()) {
            all_keys(schema, below, &format!("{name}{suffix}"), keys);
        }
    }
    for way in spec.get("oneOf").and_then(Json::as_array).into_iter().flatten() {
        all_keys(schema, way, name, keys);
    }
}

fn in_ticks(help: &str) -> BTreeSet<String> {
    help.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The full documents of a kind, each with what the schema says about its places.
fn documents(kind: &str) -> Vec<(Node, Places)> {
    let (schema, files): (&str, &[&str]) = match kind {
        "policy" => (POLICY, &["policy-full.yaml"]),
        "test" => (TESTS, &["test-full.yaml", "test-keys.yaml"]),
        _ => (CONFIG, &["config-full.yaml", "config-inline.yaml"]),
    };
    let schema: Json = serde_json::from_str(schema).unwrap();
    let read = |name: &&str| {
        let (root, mut places) = (tree(name), Places::default());
        walk(&schema, &schema, &root, &Vec::new(), "", &mut places);
        (root, places)
    };
    let documents: Vec<_> = files.iter().map(read).collect();
    let mut keys = BTreeSet::new();
    all_keys(&schema, &schema, "", &mut keys);
    keys.retain(|key| !key.starts_with('$'));
    let seen = documents.iter().flat_map(|(_, places)| &places.seen).cloned().collect();
    assert_eq!(keys.difference(&seen).collect::<Vec<_>>(), Vec::<&String>::new(), "in no sound document");
    documents
}

#[test]
fn the_schemas_know_the_keys_that_the_readers_know() {
    let folder = surroundings();
    for kind in KINDS {
        for (root, places) in documents(kind) {
            let clean = said(kind, &root, folder.path());
            let errors = clean.iter().filter(|problem| problem.what.contains(STRANGER)).count();
            assert_eq!(errors, 0, "{clean:?}");
            for (way, name, known) in places.mappings {
                let mut root = root.clone();
                let node = at(&mut root, &way);
                let at = node.at.clone();
                let Value::Map(entries) = &mut node.value else { panic!("a mapping") };
                let stranger = Node { at: at.clone(), value: Value::Scalar("x".into()) };
                entries.push((Key { at, text: STRANGER.into() }, stranger));
                let found = said(kind, &root, folder.path());
                let answer = found.iter().find(|problem| problem.what.contains(STRANGER));
                let answer = answer.unwrap_or_else(|| panic!("{kind} {name}: the reader takes any key"));
                assert_eq!(in_ticks(&answer.help), known, "{kind} {name}");
            }
        }
    }
}

#[test]
fn the_schemas_know_the_words_that_the_readers_know() {
    let folder = surroundings();
    for kind in KINDS {
        for (root, places) in documents(kind) {
            for (way, name, known) in places.words {
                let mut root = root.clone();
                at(&mut root, &way).value = Value::Scalar(STRANGER.into());
                let found = said(kind, &root, folder.path());
                let answer = found.iter().find(|problem| problem.what.contains(STRANGER));
                let answer = answer.unwrap_or_else(|| panic!("{kind} {name}: the reader takes any word"));
                let words = in_ticks(&answer.help);
                // A shared secret goes with HS256 alone, and that with nothing else (R10); the schema has them all.
                let fits = if name.contains("algorithms") { words.is_subset(&known) } else { words == known };
                assert!(fits, "{kind} {name}: {words:?} {known:?}");
            }
        }
    }
}

#[test]
fn the_sound_documents_are_sound() {
    let folder = surroundings();
    for (kind, name) in [
        ("policy", "policy-full.yaml"),
        ("config", "config-full.yaml"),
        ("config", "config-inline.yaml"),
        ("test", "test-full.yaml"),
        ("test", "test-keys.yaml"),
    ] {
        // A password and a secret in place are refused in files that everybody can read, as those of a checkout are.
        let found = said(kind, &tree(name), folder.path());
        let errors: Vec<_> = found
            .iter()
            .filter(|problem| {
                problem.severity == crate::rules::written::Severity::Error && problem.code != "C021"
            })
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}
