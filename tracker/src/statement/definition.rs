//! Statements that create, change or drop objects.

use pg_query::protobuf::{
    AlterTableStmt, AlterTableType, DropStmt, GrantTargetType, ObjectType, RangeVar,
};
use pg_query::{Node, NodeEnum};

use super::{Object, ObjectName};

/// What is created, changed or dropped. The statement's tag says which of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definition {
    /// The objects; for triggers, policies and rules also their table. Empty for kinds that are of no concern here.
    pub objects: Vec<Object>,
    /// The columns that are dropped from a table.
    pub dropped_columns: Vec<String>,
    /// The columns of a table that get another type.
    pub retyped_columns: Vec<String>,
    /// The new name of an object or a column.
    pub renamed_to: Option<String>,
}

impl Definition {
    pub(super) fn of_tables(tables: impl IntoIterator<Item = ObjectName>) -> Self {
        Self::of("TABLE", tables)
    }

    fn of(kind: &'static str, names: impl IntoIterator<Item = ObjectName>) -> Self {
        let objects = names.into_iter().map(|name| Object { kind, name }).collect();
        Self { objects, ..Self::default() }
    }

    fn and(mut self, kind: &'static str, names: impl IntoIterator<Item = ObjectName>) -> Self {
        self.objects.extend(names.into_iter().map(|name| Object { kind, name }));
        self
    }

    pub(super) fn weight_bytes(&self) -> usize {
        let columns =
            self.dropped_columns.iter().chain(&self.retyped_columns).chain(&self.renamed_to);
        self.objects.iter().map(|object| object.name.weight_bytes() + 16).sum::<usize>()
            + columns.map(|column| size_of::<String>() + column.len()).sum::<usize>()
    }
}

/// Describes a definition and names its command tag; `None` if the statement is none.
///
/// The tags are those of `CreateCommandTag` (`src/backend/tcop/utility.c`).
pub(super) fn of(node: &NodeEnum) -> Option<(Definition, &'static str)> {
    let named = |kind, name: &str| Definition::of(kind, [ObjectName::new("", name)]);
    Some(match node {
        NodeEnum::CreateStmt(create) => {
            let parents = create.inh_relations.iter().filter_map(relation_in);
            (
                Definition::of_tables(create.relation.as_ref().map(relation))
                    .and("PARENT", parents),
                "CREATE TABLE",
            )
        }
        NodeEnum::CreateForeignTableStmt(create) => {
            let table = create.base_stmt.as_ref().and_then(|base| base.relation.as_ref());
            (Definition::of("FOREIGN TABLE", table.map(relation)), "CREATE FOREIGN TABLE")
        }
        NodeEnum::CreateTableAsStmt(create) => {
            let target = create.into.as_ref().and_then(|into| into.rel.as_ref()).map(relation);
            match create.objtype() {
                ObjectType::ObjectMatview => {
                    (Definition::of("MATERIALIZED VIEW", target), "CREATE MATERIALIZED VIEW")
                }
                _ if create.is_select_into => (Definition::of_tables(target), "SELECT INTO"),
                _ => (Definition::of_tables(target), "CREATE TABLE AS"),
            }
        }
        NodeEnum::AlterTableStmt(alter) => alter_table(alter),
        NodeEnum::DropStmt(drop) => dropped(drop),
        NodeEnum::RenameStmt(rename) => {
            let is_column = matches!(
                rename.rename_type(),
                ObjectType::ObjectColumn | ObjectType::ObjectAttribute
            );
            let altered = if is_column { rename.relation_type() } else { rename.rename_type() };
            let (kind, _, tag, _) = words(altered);
            let own = || Some(&rename.subname).filter(|name| !name.is_empty());
            let name = rename.relation.as_ref().map(relation);
            let name = name.or_else(|| object(rename.object.as_deref()));
            let name = name.or_else(|| own().map(|name| ObjectName::new("", name)));
            let mut definition = Definition::of(kind, name);
            definition.renamed_to = Some(rename.newname.clone());
            (definition, tag)
        }
        NodeEnum::AlterObjectSchemaStmt(alter) => {
            let (kind, _, tag, _) = words(alter.object_type());
            let name =
                alter.relation.as_ref().map(relation).or_else(|| object(alter.object.as_deref()));
            (Definition::of(kind, name), tag)
        }
        NodeEnum::AlterOwnerStmt(alter) => {
            let (kind, _, tag, _) = words(alter.object_type());
            let name =
                alter.relation.as_ref().map(relation).or_else(|| object(alter.object.as_deref()));
            (Definition::of(kind, name), tag)
        }
        NodeEnum::ViewStmt(view) => {
            (Definition::of("VIEW", view.view.as_ref().map(relation)), "CREATE VIEW")
        }
        NodeEnum::RefreshMatViewStmt(refresh) => {
            let view = refresh.relation.as_ref().map(relation);
            (Definition::of("MATERIALIZED VIEW", view), "REFRESH MATERIALIZED VIEW")
        }
        NodeEnum::IndexStmt(index) => {
            let table = index.relation.as_ref().map(relation);
            let schema = table.as_ref().and_then(|table| table.schema.clone());
            let name = (!index.idxname.is_empty())
                .then(|| ObjectName { schema, name: index.idxname.clone() });
            (Definition::of("INDEX", name).and("TABLE", table), "CREATE INDEX")
        }
        NodeEnum::CreateTrigStmt(trigger) => {
            (on_table("TRIGGER", &trigger.trigname, trigger.relation.as_ref()), "CREATE TRIGGER")
        }
        NodeEnum::CreatePolicyStmt(policy) => {
            (on_table("POLICY", &policy.policy_name, policy.table.as_ref()), "CREATE POLICY")
        }
        NodeEnum::AlterPolicyStmt(policy) => {
            (on_table("POLICY", &policy.policy_name, policy.table.as_ref()), "ALTER POLICY")
        }
        NodeEnum::RuleStmt(rule) => {
            (on_table("RULE", &rule.rulename, rule.relation.as_ref()), "CREATE RULE")
        }
        NodeEnum::CreateSeqStmt(create) => {
            (Definition::of("SEQUENCE", create.sequence.as_ref().map(relation)), "CREATE SEQUENCE")
        }
        NodeEnum::AlterSeqStmt(alter) => {
            (Definition::of("SEQUENCE", alter.sequence.as_ref().map(relation)), "ALTER SEQUENCE")
        }
        NodeEnum::CreateFunctionStmt(create) => {
            let name = name(&create.funcname);
            if create.is_procedure {
                (Definition::of("PROCEDURE", name), "CREATE PROCEDURE")
            } else {
                (Definition::of("FUNCTION", name), "CREATE FUNCTION")
            }
        }
        NodeEnum::AlterFunctionStmt(alter) => {
            let (kind, _, tag, _) = words(alter.objtype());
            (
                Definition::of(
                    kind,
                    alter.func.as_ref().and_then(|function| name(&function.objname)),
                ),
                tag,
            )
        }
        NodeEnum::CreateSchemaStmt(create) => {
            let elements =
                create.schema_elts.iter().filter_map(|element| of(element.node.as_ref()?));
            let mut definition = named("SCHEMA", &create.schemaname);
            definition.objects.extend(elements.flat_map(|(element, _)| element.objects));
            (definition, "CREATE SCHEMA")
        }
        NodeEnum::CompositeTypeStmt(create) => {
            (Definition::of("TYPE", create.typevar.as_ref().map(relation)), "CREATE TYPE")
        }
        NodeEnum::CreateEnumStmt(create) => {
            (Definition::of("TYPE", name(&create.type_name)), "CREATE TYPE")
        }
        NodeEnum::CreateRangeStmt(create) => {
            (Definition::of("TYPE", name(&create.type_name)), "CREATE TYPE")
        }
        NodeEnum::AlterEnumStmt(alter) => {
            (Definition::of("TYPE", name(&alter.type_name)), "ALTER TYPE")
        }
        NodeEnum::AlterTypeStmt(alter) => {
            (Definition::of("TYPE", name(&alter.type_name)), "ALTER TYPE")
        }
        NodeEnum::CreateDomainStmt(create) => {
            (Definition::of("DOMAIN", name(&create.domainname)), "CREATE DOMAIN")
        }
        NodeEnum::AlterDomainStmt(alter) => {
            (Definition::of("DOMAIN", name(&alter.type_name)), "ALTER DOMAIN")
        }
        NodeEnum::DefineStmt(define) => {
            let (kind, tag, _, _) = words(define.kind());
            (Definition::of(kind, name(&define.defnames)), tag)
        }
        NodeEnum::CreateExtensionStmt(create) => {
            (named("EXTENSION", &create.extname), "CREATE EXTENSION")
        }
        NodeEnum::AlterExtensionStmt(alter) => {
            (named("EXTENSION", &alter.extname), "ALTER EXTENSION")
        }
        NodeEnum::CreateEventTrigStmt(create) => {
            (named("EVENT TRIGGER", &create.trigname), "CREATE EVENT TRIGGER")
        }
        NodeEnum::AlterEventTrigStmt(alter) => {
            (named("EVENT TRIGGER", &alter.trigname), "ALTER EVENT TRIGGER")
        }
        NodeEnum::CreatePublicationStmt(create) => {
            (named("PUBLICATION", &create.pubname), "CREATE PUBLICATION")
        }
        NodeEnum::AlterPublicationStmt(alter) => {
            (named("PUBLICATION", &alter.pubname), "ALTER PUBLICATION")
        }
        NodeEnum::CreateSubscriptionStmt(create) => {
            (named("SUBSCRIPTION", &create.subname), "CREATE SUBSCRIPTION")
        }
        NodeEnum::AlterSubscriptionStmt(alter) => {
            (named("SUBSCRIPTION", &alter.subname), "ALTER SUBSCRIPTION")
        }
        NodeEnum::DropSubscriptionStmt(drop) => {
            (named("SUBSCRIPTION", &drop.subname), "DROP SUBSCRIPTION")
        }
        NodeEnum::CreateRoleStmt(create) => (named("ROLE", &create.role), "CREATE ROLE"),
        NodeEnum::AlterRoleStmt(alter) => {
            (named("ROLE", alter.role.as_ref().map_or("", |role| &role.rolename)), "ALTER ROLE")
        }
        NodeEnum::AlterRoleSetStmt(alter) => {
            let role = alter.role.as_ref().map(|role| ObjectName::new("", &role.rolename));
            (Definition::of("ROLE", role), "ALTER ROLE")
        }
        NodeEnum::DropRoleStmt(drop) => {
            let roles = drop.roles.iter().filter_map(|role| object(Some(role)));
            (Definition::of("ROLE", roles), "DROP ROLE")
        }
        NodeEnum::CreatedbStmt(create) => (named("DATABASE", &create.dbname), "CREATE DATABASE"),
        NodeEnum::AlterDatabaseStmt(alter) => (named("DATABASE", &alter.dbname), "ALTER DATABASE"),
        NodeEnum::AlterDatabaseSetStmt(alter) => {
            (named("DATABASE", &alter.dbname), "ALTER DATABASE")
        }
        NodeEnum::DropdbStmt(drop) => (named("DATABASE", &drop.dbname), "DROP DATABASE"),
        NodeEnum::GrantStmt(grant) => {
            let kind = match grant.targtype() {
                GrantTargetType::AclTargetAllInSchema => "SCHEMA",
                _ => words(grant.objtype()).0,
            };
            let objects = grant.objects.iter().filter_map(|target| object(Some(target)));
            (Definition::of(kind, objects), if grant.is_grant { "GRANT" } else { "REVOKE" })
        }
        NodeEnum::GrantRoleStmt(grant) => {
            (Definition::default(), if grant.is_grant { "GRANT ROLE" } else { "REVOKE ROLE" })
        }
        NodeEnum::CommentStmt(comment) => {
            let objects =
                comment.object.as_deref().map(|target| named_by(comment.objtype(), target));
            (objects.unwrap_or_default(), "COMMENT")
        }
        NodeEnum::CreateStatsStmt(create) => {
            (Definition::of("STATISTICS", name(&create.defnames)), "CREATE STATISTICS")
        }
        NodeEnum::AlterDefaultPrivilegesStmt(_) => {
            (Definition::default(), "ALTER DEFAULT PRIVILEGES")
        }
        NodeEnum::AlterTableMoveAllStmt(_) => (Definition::default(), "ALTER TABLE"),
        NodeEnum::DropOwnedStmt(_) => (Definition::default(), "DROP OWNED"),
        NodeEnum::ReassignOwnedStmt(_) => (Definition::default(), "REASSIGN OWNED"),
        NodeEnum::SecLabelStmt(_) => (Definition::default(), "SECURITY LABEL"),
        NodeEnum::ImportForeignSchemaStmt(_) => (Definition::default(), "IMPORT FOREIGN SCHEMA"),
        NodeEnum::CreateForeignServerStmt(create) => {
            (named("SERVER", &create.servername), "CREATE SERVER")
        }
        NodeEnum::CreateFdwStmt(create) => {
            (named("FOREIGN DATA WRAPPER", &create.fdwname), "CREATE FOREIGN DATA WRAPPER")
        }
        NodeEnum::CreateUserMappingStmt(_) => (Definition::default(), "CREATE USER MAPPING"),
        NodeEnum::CreateTableSpaceStmt(create) => {
            (named("TABLESPACE", &create.tablespacename), "CREATE TABLESPACE")
        }
        NodeEnum::DropTableSpaceStmt(drop) => {
            (named("TABLESPACE", &drop.tablespacename), "DROP TABLESPACE")
        }
        NodeEnum::CreateCastStmt(_) => (Definition::default(), "CREATE CAST"),
        NodeEnum::CreateOpClassStmt(_) => (Definition::default(), "CREATE OPERATOR CLASS"),
        NodeEnum::CreateOpFamilyStmt(_) => (Definition::default(), "CREATE OPERATOR FAMILY"),
        NodeEnum::CreateConversionStmt(_) => (Definition::default(), "CREATE CONVERSION"),
        NodeEnum::CreateAmStmt(_) => (Definition::default(), "CREATE ACCESS METHOD"),
        NodeEnum::CreatePlangStmt(_) => (Definition::default(), "CREATE LANGUAGE"),
        NodeEnum::CreateTransformStmt(_) => (Definition::default(), "CREATE TRANSFORM"),
        _ => return None,
    })
}

fn alter_table(alter: &AlterTableStmt) -> (Definition, &'static str) {
    let (kind, _, tag, _) = words(alter.objtype());
    let mut definition = Definition::of(kind, alter.relation.as_ref().map(relation));
    for command in &alter.cmds {
        let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
        match command.subtype() {
            AlterTableType::AtDropColumn => definition.dropped_columns.push(command.name.clone()),
            AlterTableType::AtAlterColumnType => {
                definition.retyped_columns.push(command.name.clone());
            }
            AlterTableType::AtAttachPartition | AlterTableType::AtDetachPartition => {
                let partition = command.def.as_ref().and_then(|def| def.node.as_ref());
                if let Some(NodeEnum::PartitionCmd(partition)) = partition {
                    definition = definition.and("PARTITION", partition.name.as_ref().map(relation));
                }
            }
            AlterTableType::AtAddInherit | AlterTableType::AtDropInherit => {
                definition = definition.and("PARENT", command.def.as_deref().and_then(relation_in));
            }
            _ => {}
        }
    }
    (definition, tag)
}

fn dropped(drop: &DropStmt) -> (Definition, &'static str) {
    let objects =
        drop.objects.iter().flat_map(|target| named_by(drop.remove_type(), target).objects);
    let (_, _, _, tag) = words(drop.remove_type());
    (Definition { objects: objects.collect(), ..Definition::default() }, tag)
}

/// What a name means: those of columns, triggers and the like begin with their table's.
fn named_by(kind: ObjectType, target: &Node) -> Definition {
    let words = words(kind).0;
    let is_on_table = matches!(
        kind,
        ObjectType::ObjectColumn
            | ObjectType::ObjectTabconstraint
            | ObjectType::ObjectTrigger
            | ObjectType::ObjectRule
            | ObjectType::ObjectPolicy
    );
    match &target.node {
        Some(NodeEnum::List(list)) if is_on_table => {
            let Some((own, table)) = list.items.split_last() else { return Definition::default() };
            let has_words =
                !matches!(kind, ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint);
            let own = has_words.then(|| name(std::slice::from_ref(own))).flatten();
            Definition::of(words, own).and("TABLE", name(table))
        }
        _ => Definition::of(words, object(Some(target))),
    }
}

fn on_table(kind: &'static str, name: &str, table: Option<&RangeVar>) -> Definition {
    Definition::of(kind, [ObjectName::new("", name)]).and("TABLE", table.map(relation))
}

/// The name of a relation.
pub(super) fn relation(range: &RangeVar) -> ObjectName {
    ObjectName::new(&range.schemaname, &range.relname)
}

/// The name of the relation that a node is.
pub(super) fn relation_in(node: &Node) -> Option<ObjectName> {
    match &node.node {
        Some(NodeEnum::RangeVar(range)) => Some(relation(range)),
        _ => None,
    }
}

fn name(parts: &[Node]) -> Option<ObjectName> {
    let parts = parts.iter().filter_map(|part| match &part.node {
        Some(NodeEnum::String(part)) => Some(part.sval.as_str()),
        _ => None,
    });
    ObjectName::from_parts(&parts.collect::<Vec<_>>())
}

/// The name of an object in any of the forms that the grammar has for one.
fn object(node: Option<&Node>) -> Option<ObjectName> {
    match node?.node.as_ref()? {
        NodeEnum::List(list) => name(&list.items),
        NodeEnum::String(own) => Some(ObjectName::new("", &own.sval)),
        NodeEnum::RangeVar(range) => Some(relation(range)),
        NodeEnum::ObjectWithArgs(function) => name(&function.objname),
        NodeEnum::TypeName(named) => name(&named.names),
        NodeEnum::RoleSpec(role) => Some(ObjectName::new("", &role.rolename)),
        _ => None,
    }
}

macro_rules! words {
    ($kind:literal) => {
        ($kind, concat!("CREATE ", $kind), concat!("ALTER ", $kind), concat!("DROP ", $kind))
    };
}

/// A kind of object in the words of SQL, and the tags of creating, altering and dropping one.
fn words(kind: ObjectType) -> (&'static str, &'static str, &'static str, &'static str) {
    match kind {
        ObjectType::ObjectTable | ObjectType::ObjectTabconstraint => words!("TABLE"),
        ObjectType::ObjectForeignTable => words!("FOREIGN TABLE"),
        ObjectType::ObjectView => words!("VIEW"),
        ObjectType::ObjectMatview => words!("MATERIALIZED VIEW"),
        ObjectType::ObjectIndex => words!("INDEX"),
        ObjectType::ObjectSequence => words!("SEQUENCE"),
        ObjectType::ObjectSchema => words!("SCHEMA"),
        ObjectType::ObjectFunction => words!("FUNCTION"),
        ObjectType::ObjectProcedure => words!("PROCEDURE"),
        ObjectType::ObjectRoutine => words!("ROUTINE"),
        ObjectType::ObjectAggregate => words!("AGGREGATE"),
        ObjectType::ObjectType | ObjectType::ObjectAttribute => words!("TYPE"),
        ObjectType::ObjectDomain | ObjectType::ObjectDomconstraint => words!("DOMAIN"),
        ObjectType::ObjectTrigger => words!("TRIGGER"),
        ObjectType::ObjectEventTrigger => words!("EVENT TRIGGER"),
        ObjectType::ObjectRule => words!("RULE"),
        ObjectType::ObjectPolicy => words!("POLICY"),
        ObjectType::ObjectExtension => words!("EXTENSION"),
        ObjectType::ObjectRole => words!("ROLE"),
        ObjectType::ObjectDatabase => words!("DATABASE"),
        ObjectType::ObjectTablespace => words!("TABLESPACE"),
        ObjectType::ObjectPublication => words!("PUBLICATION"),
        ObjectType::ObjectSubscription => words!("SUBSCRIPTION"),
        ObjectType::ObjectStatisticExt => words!("STATISTICS"),
        ObjectType::ObjectCollation => words!("COLLATION"),
        ObjectType::ObjectConversion => words!("CONVERSION"),
        ObjectType::ObjectCast => words!("CAST"),
        ObjectType::ObjectTransform => words!("TRANSFORM"),
        ObjectType::ObjectOperator => words!("OPERATOR"),
        ObjectType::ObjectOpclass => words!("OPERATOR CLASS"),
        ObjectType::ObjectOpfamily => words!("OPERATOR FAMILY"),
        ObjectType::ObjectLanguage => words!("LANGUAGE"),
        ObjectType::ObjectLargeobject => words!("LARGE OBJECT"),
        ObjectType::ObjectAccessMethod => words!("ACCESS METHOD"),
        ObjectType::ObjectFdw => words!("FOREIGN DATA WRAPPER"),
        ObjectType::ObjectForeignServer => words!("SERVER"),
        ObjectType::ObjectUserMapping => words!("USER MAPPING"),
        ObjectType::ObjectTsparser => words!("TEXT SEARCH PARSER"),
        ObjectType::ObjectTsdictionary => words!("TEXT SEARCH DICTIONARY"),
        ObjectType::ObjectTstemplate => words!("TEXT SEARCH TEMPLATE"),
        ObjectType::ObjectTsconfiguration => words!("TEXT SEARCH CONFIGURATION"),
        _ => ("", "", "", ""),
    }
}
