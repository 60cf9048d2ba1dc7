//! Indices of the user's own: a TOML file of `[[index]]` tables.

use std::collections::BTreeMap;
use std::path::Path;

use super::document::{Document, Node};
use crate::error::{Error, Result};
use crate::raster::Role;
use crate::spectral::build::{Origin, names};
use crate::spectral::{Ast, Index, catalogue};

/// What a name begins with where the catalogue has the rest of it.
const PREFIX: &str = "user:";

/// Reads the indices of a file, in order.
///
/// # Errors
/// Those of the file; usage error with line and index for unknown keys, formulas that do not parse or read what nobody knows,
/// and names that are taken.
pub fn read(path: &Path) -> Result<Vec<Index>> {
    let doc = Document::read(&crate::scene::local_file(path)?)?;
    let parsed = doc.parse()?;
    let mut root = doc.root(&parsed);
    let list = root.get("index");
    root.finish()?;
    let Some(list) = list else {
        return Err(Error::usage(format!(
            "{}: no index; add [[index]] with name = \"MINE\" and formula = \"(N-R)/(N+R)\"",
            path.display()
        )));
    };
    let mut found: Vec<Index> = Vec::new();
    for node in list.list()? {
        let index = index(&node)?;
        if found.iter().any(|other| other.name == index.name) {
            return Err(node.fail(&format!("index {} is there twice; rename one", index.name)));
        }
        found.push(index);
    }
    Ok(found)
}

fn index(node: &Node<'_>) -> Result<Index> {
    let mut fields = node.table()?;
    let name_node = fields.need("name", "name = \"MINE\"")?;
    let name = name_node.text()?.to_owned();
    let of_index = |node: &Node<'_>, what: &str| node.fail(&format!("index {name}: {what}"));
    check_name(&name_node, &name)?;
    let formula_node = fields.need("formula", "formula = \"(N-R)/(N+R)\"")?;
    let text = |node: Option<Node<'_>>| node.map_or(Ok(String::new()), |n| n.text().map(str::to_owned));
    let title = text(fields.get("long_name"))?;
    let source = text(fields.get("reference"))?;
    let range = fields.get("range").map(|n| range(&n)).transpose()?;
    let mut constants = BTreeMap::new();
    if let Some(table) = fields.get("constants") {
        for (constant, value) in table.table()?.all() {
            if Role::from_description(&constant).is_some() || catalogue::kernel_operands(&constant).is_some() {
                return Err(of_index(
                    &value,
                    &format!("{constant} is a band or kernel and cannot be a constant; rename it"),
                ));
            }
            constants.insert(constant, value.number()?);
        }
    }
    fields.finish()?;
    let formula = formula_node.text()?.to_owned();
    let ast = Ast::parse(&formula).map_err(|e| of_index(&formula_node, e.message()))?;
    let (guards, domain, origin) = (Vec::new(), "user".to_owned(), Origin::User);
    let index = Index { name: name.clone(), title, formula, guards, range, constants, domain, source, origin };
    for used in ast.names() {
        let band =
            catalogue::BANDS.contains(&used) || Role::from_description(used).is_some_and(|r| !r.is_categorical());
        if !band && !index.has_constant(used) && catalogue::kernel_operands(used).is_none() {
            let what = format!(
                "{used} is neither a band ({} or a name such as nir) nor a constant; define it with constants = {{ {used} = 0.5 }}",
                catalogue::BANDS.join(" ")
            );
            return Err(of_index(&formula_node, &what));
        }
    }
    if let Some(unused) = index.constants.keys().find(|c| !index.constants().is_ok_and(|used| used.contains(c))) {
        return Err(of_index(&formula_node, &format!("constant {unused} is not in the formula; remove it")));
    }
    Ok(index)
}

/// A name is one word; one that the catalogue has needs the prefix, so that nothing changes its meaning unseen.
fn check_name(node: &Node<'_>, name: &str) -> Result<()> {
    let bare = name.strip_prefix(PREFIX).unwrap_or(name);
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !bare.starts_with(|c: char| c.is_ascii_alphabetic()) || !bare.chars().all(word) {
        return Err(node.fail(&format!("{name:?} is no name; write letters, digits and _, a letter first")));
    }
    if bare == name && names().any(|known| known == name) {
        return Err(node.fail(&format!(
            "index {name} is in the catalogue already (`regrow index --show {name}`); rename it, or write {PREFIX}{name} here and \
             where it is asked for"
        )));
    }
    Ok(())
}

fn range(node: &Node<'_>) -> Result<(f64, f64)> {
    let bounds = node.list()?.iter().map(Node::number).collect::<Result<Vec<_>>>()?;
    match bounds.as_slice() {
        [lo, hi] if lo < hi => Ok((*lo, *hi)),
        _ => Err(node.fail("expected the lowest and the highest valid value, range = [-1.0, 1.0]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Index>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my.toml");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn all_keys_are_read() {
        let indices = read_text(
            "[[index]]\nname = \"MINE\"\nformula = \"(nir-R)/(N+R+w)\"\nlong_name = \"My index\"\nreference = \"me 2024\"\n\
             range = [-1, 1.5]\nconstants = { w = 0.25 }\n[[index]]\nname = \"user:NDVI\"\nformula = \"N/R-L\"\n",
        )
        .unwrap();
        let mine = &indices[0];
        assert_eq!((mine.name.as_str(), mine.title.as_str(), mine.source.as_str()), ("MINE", "My index", "me 2024"));
        assert_eq!((mine.range, mine.default_of("w"), mine.origin), (Some((-1.0, 1.5)), Some(0.25), Origin::User));
        assert_eq!((indices[1].name.as_str(), indices[1].default_of("L")), ("user:NDVI", Some(1.0)));
    }

    #[test]
    fn mistakes_name_line_and_index() {
        let one = |rest: &str| format!("[[index]]\nname = \"MINE\"\n{rest}\n");
        for (text, parts) in [
            (one("formula = \"N-R\"\nrnage = [0, 1]"), ["my.toml:4", "rnage"]),
            (one("formula = \"(N-R\""), ["my.toml:3", "index MINE: expression: column"]),
            (one("formula = \"N-q\""), ["my.toml:3", "index MINE: q is neither a band"]),
            (one("formula = \"N-R\"\nconstants = { q = 1 }"), ["my.toml:3", "constant q is not in the formula"]),
            (one("formula = \"N-R\"\nconstants = { red = 1 }"), ["my.toml:4", "red is a band"]),
            (one("formula = \"N-R\"\nrange = [1, 0]"), ["my.toml:4", "range = [-1.0, 1.0]"]),
            (one("formula = \"N\"") + &one("formula = \"R\""), ["my.toml:4", "index MINE is there twice"]),
            ("[[index]]\nname = \"NDVI\"\nformula = \"N\"".into(), ["my.toml:2", "user:NDVI"]),
            ("[[index]]\nname = \"a b\"\nformula = \"N\"".into(), ["my.toml:2", "is no name"]),
            ("[[index]]\nformula = \"N\"".into(), ["my.toml:1", "name"]),
            ("[[indices]]\nname = \"X\"".into(), ["my.toml:1", "indices"]),
            ("# nothing yet\n".into(), ["my.toml", "[[index]]"]),
        ] {
            let e = read_text(&text).unwrap_err();
            assert_eq!(e.kind().exit_code(), 2, "{text}: {e}");
            let message = e.to_string();
            assert!(parts.iter().all(|p| message.contains(p)) && !message.contains('\n'), "{text}: {message}");
        }
    }
}
