//! CREATE DOMAIN and ALTER DOMAIN. That values which exist meet a new rule is the caller's to see.

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_OBJECT, SqlError, UNDEFINED_OBJECT, WRONG_OBJECT_TYPE};
use nqdb_txn::Result;
use nqdb_types::{Oid, UserTypeKind};

use super::CatalogWriter;
use crate::names::choose_name;
use crate::request::NewDomain;
use crate::user_type::{DeclaredType, DomainCheck, DomainDef, TypeDef, TypeDetails};

impl CatalogWriter<'_> {
    /// Makes a domain. Errors: 42710 when its name, or that of a constraint, is taken.
    pub fn create_domain(&mut self, new: &NewDomain) -> Result<Oid> {
        self.hold_schema(new.schema)?;
        self.expect_free_type_name(new.schema, &new.name)?;
        self.hold_type(new.base.declared_oid())?;
        self.hold_type(new.base.oid)?;
        let domain = DomainDef {
            base: DeclaredType::of(new.base),
            not_null: new.not_null,
            default: new.default.clone(),
            collate_c: new.collate_c,
            checks: Vec::new(),
        };
        let details = TypeDetails::Domain(Arc::new(domain));
        let oid = self.create_type(UserTypeKind::Domain, new.schema, &new.name, |_| details)?;
        for (name, expression) in &new.checks {
            self.add_domain_check(oid, name.as_deref(), expression, true)?;
        }
        Ok(oid)
    }

    /// Adds a CHECK constraint; gives its name. Errors: 42710 when the name is taken.
    pub fn add_domain_check(
        &mut self,
        oid: Oid,
        name: Option<&str>,
        expression: &str,
        validated: bool,
    ) -> Result<String> {
        let (def, mut domain) = self.lock_domain(oid)?;
        let is_taken = |name: &str| domain.checks.iter().any(|check| check.name == name);
        let name = match name {
            Some(name) if is_taken(name) => {
                let message = format!("constraint \"{name}\" for domain \"{}\" already exists", def.name);
                return Err(SqlError::new(DUPLICATE_OBJECT, message).into());
            }
            Some(name) => name.to_owned(),
            None => choose_name(&def.name, None, "check", is_taken),
        };
        let check_oid = self.catalog.next_oid(self.txn)?;
        let expression = expression.to_owned();
        domain.checks.push(DomainCheck { oid: check_oid, name: name.clone(), expression, validated });
        self.put_domain(&def, domain)?;
        Ok(name)
    }

    /// Removes a constraint; whether there was one.
    pub fn drop_domain_check(&mut self, oid: Oid, name: &str) -> Result<bool> {
        let (def, mut domain) = self.lock_domain(oid)?;
        let Some(at) = domain.checks.iter().position(|check| check.name == name) else { return Ok(false) };
        self.forget_object(domain.checks[at].oid)?;
        domain.checks.remove(at);
        self.put_domain(&def, domain)?;
        Ok(true)
    }

    /// Gives a constraint another name. Errors: 42704 when there is none, 42710 when the new name is taken.
    pub fn rename_domain_check(&mut self, oid: Oid, name: &str, new_name: &str) -> Result<()> {
        let (def, mut domain) = self.lock_domain(oid)?;
        let Some(at) = domain.checks.iter().position(|check| check.name == name) else {
            let message = format!("constraint \"{name}\" for domain {} does not exist", def.name);
            return Err(SqlError::new(UNDEFINED_OBJECT, message).into());
        };
        if domain.checks.iter().any(|check| check.name == new_name) {
            let message = format!("constraint \"{new_name}\" for domain {} already exists", def.name);
            return Err(SqlError::new(DUPLICATE_OBJECT, message).into());
        }
        new_name.clone_into(&mut domain.checks[at].name);
        self.put_domain(&def, domain)
    }

    /// Notes that all values meet a constraint.
    pub fn validate_domain_check(&mut self, oid: Oid, name: &str) -> Result<()> {
        let (def, mut domain) = self.lock_domain(oid)?;
        domain.checks.iter_mut().filter(|check| check.name == name).for_each(|check| check.validated = true);
        self.put_domain(&def, domain)
    }

    pub fn set_domain_default(&mut self, oid: Oid, default: Option<String>) -> Result<()> {
        let (def, domain) = self.lock_domain(oid)?;
        self.put_domain(&def, DomainDef { default, ..domain })
    }

    pub fn set_domain_not_null(&mut self, oid: Oid, not_null: bool) -> Result<()> {
        let (def, domain) = self.lock_domain(oid)?;
        self.put_domain(&def, DomainDef { not_null, ..domain })
    }

    fn lock_domain(&mut self, oid: Oid) -> Result<(Arc<TypeDef>, DomainDef)> {
        let def = self.lock_type(oid)?;
        match def.domain() {
            Some(domain) => {
                let domain = DomainDef::clone(domain);
                Ok((def, domain))
            }
            None => Err(SqlError::new(WRONG_OBJECT_TYPE, format!("{} is not a domain", def.name)).into()),
        }
    }

    fn put_domain(&mut self, def: &TypeDef, mut domain: DomainDef) -> Result<()> {
        // PostgreSQL checks constraints in the order of their names.
        domain.checks.sort_by(|left, right| left.name.cmp(&right.name));
        self.put_type(TypeDef { details: TypeDetails::Domain(Arc::new(domain)), ..def.clone() })
    }
}
