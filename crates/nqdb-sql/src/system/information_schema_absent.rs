//! The views of `information_schema` about what does not exist here: foreign keys, triggers, domains, foreign data, and
//! routines that somebody defined.

use super::relation::{SystemRelation, relation};

pub(super) static RELATIONS: &[&SystemRelation] = &[
    &TRIGGERS,
    &TRIGGERED_UPDATE_COLUMNS,
    &DOMAIN_UDT_USAGE,
    &ELEMENT_TYPES,
    &VIEW_TABLE_USAGE,
    &VIEW_COLUMN_USAGE,
    &VIEW_ROUTINE_USAGE,
    &COLUMN_DOMAIN_USAGE,
    &CHECK_CONSTRAINT_ROUTINE_USAGE,
    &FOREIGN_DATA_WRAPPERS,
    &FOREIGN_DATA_WRAPPER_OPTIONS,
    &FOREIGN_SERVERS,
    &FOREIGN_SERVER_OPTIONS,
    &FOREIGN_TABLES,
    &FOREIGN_TABLE_OPTIONS,
    &USER_MAPPINGS,
    &USER_MAPPING_OPTIONS,
    &COLUMN_OPTIONS,
    &USER_DEFINED_TYPES,
    &TRANSFORMS,
    &ATTRIBUTES,
    &ROUTINE_COLUMN_USAGE,
    &ROUTINE_TABLE_USAGE,
    &ROUTINE_SEQUENCE_USAGE,
    &ROUTINE_ROUTINE_USAGE,
    &COLUMN_COLUMN_USAGE,
];

relation! {
    TRIGGERS = "triggers" 13440, row_type 13442, information_schema View, nothing;
    {
        trigger_catalog: SQL_IDENTIFIER, trigger_schema: SQL_IDENTIFIER,
        trigger_name: SQL_IDENTIFIER, event_manipulation: CHARACTER_DATA,
        event_object_catalog: SQL_IDENTIFIER, event_object_schema: SQL_IDENTIFIER,
        event_object_table: SQL_IDENTIFIER, action_order: CARDINAL_NUMBER,
        action_condition: CHARACTER_DATA, action_statement: CHARACTER_DATA,
        action_orientation: CHARACTER_DATA, action_timing: CHARACTER_DATA,
        action_reference_old_table: SQL_IDENTIFIER, action_reference_new_table: SQL_IDENTIFIER,
        action_reference_old_row: SQL_IDENTIFIER, action_reference_new_row: SQL_IDENTIFIER,
        created: TIME_STAMP,
    }
}

relation! {
    TRIGGERED_UPDATE_COLUMNS = "triggered_update_columns" 13435, row_type 13437, information_schema View, nothing;
    {
        trigger_catalog: SQL_IDENTIFIER, trigger_schema: SQL_IDENTIFIER,
        trigger_name: SQL_IDENTIFIER, event_object_catalog: SQL_IDENTIFIER,
        event_object_schema: SQL_IDENTIFIER, event_object_table: SQL_IDENTIFIER,
        event_object_column: SQL_IDENTIFIER,
    }
}

relation! {
    DOMAIN_UDT_USAGE = "domain_udt_usage" 13315, row_type 13317, information_schema View, nothing;
    {
        udt_catalog: SQL_IDENTIFIER, udt_schema: SQL_IDENTIFIER, udt_name: SQL_IDENTIFIER,
        domain_catalog: SQL_IDENTIFIER, domain_schema: SQL_IDENTIFIER,
        domain_name: SQL_IDENTIFIER,
    }
}

relation! {
    ELEMENT_TYPES = "element_types" 13493, row_type 13495, information_schema View, nothing;
    {
        object_catalog: SQL_IDENTIFIER, object_schema: SQL_IDENTIFIER,
        object_name: SQL_IDENTIFIER, object_type: CHARACTER_DATA,
        collection_type_identifier: SQL_IDENTIFIER, data_type: CHARACTER_DATA,
        character_maximum_length: CARDINAL_NUMBER, character_octet_length: CARDINAL_NUMBER,
        character_set_catalog: SQL_IDENTIFIER, character_set_schema: SQL_IDENTIFIER,
        character_set_name: SQL_IDENTIFIER, collation_catalog: SQL_IDENTIFIER,
        collation_schema: SQL_IDENTIFIER, collation_name: SQL_IDENTIFIER,
        numeric_precision: CARDINAL_NUMBER, numeric_precision_radix: CARDINAL_NUMBER,
        numeric_scale: CARDINAL_NUMBER, datetime_precision: CARDINAL_NUMBER,
        interval_type: CHARACTER_DATA, interval_precision: CARDINAL_NUMBER,
        domain_default: CHARACTER_DATA, udt_catalog: SQL_IDENTIFIER,
        udt_schema: SQL_IDENTIFIER, udt_name: SQL_IDENTIFIER,
        scope_catalog: SQL_IDENTIFIER, scope_schema: SQL_IDENTIFIER,
        scope_name: SQL_IDENTIFIER, maximum_cardinality: CARDINAL_NUMBER,
        dtd_identifier: SQL_IDENTIFIER,
    }
}

relation! {
    VIEW_TABLE_USAGE = "view_table_usage" 13478, row_type 13480, information_schema View, nothing;
    {
        view_catalog: SQL_IDENTIFIER, view_schema: SQL_IDENTIFIER,
        view_name: SQL_IDENTIFIER, table_catalog: SQL_IDENTIFIER,
        table_schema: SQL_IDENTIFIER, table_name: SQL_IDENTIFIER,
    }
}

relation! {
    VIEW_COLUMN_USAGE = "view_column_usage" 13468, row_type 13470, information_schema View, nothing;
    {
        view_catalog: SQL_IDENTIFIER, view_schema: SQL_IDENTIFIER,
        view_name: SQL_IDENTIFIER, table_catalog: SQL_IDENTIFIER,
        table_schema: SQL_IDENTIFIER, table_name: SQL_IDENTIFIER,
        column_name: SQL_IDENTIFIER,
    }
}

relation! {
    VIEW_ROUTINE_USAGE = "view_routine_usage" 13473, row_type 13475, information_schema View, nothing;
    {
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER, specific_catalog: SQL_IDENTIFIER,
        specific_schema: SQL_IDENTIFIER, specific_name: SQL_IDENTIFIER,
    }
}

relation! {
    COLUMN_DOMAIN_USAGE = "column_domain_usage" 13280, row_type 13282, information_schema View, nothing;
    {
        domain_catalog: SQL_IDENTIFIER, domain_schema: SQL_IDENTIFIER,
        domain_name: SQL_IDENTIFIER, table_catalog: SQL_IDENTIFIER,
        table_schema: SQL_IDENTIFIER, table_name: SQL_IDENTIFIER,
        column_name: SQL_IDENTIFIER,
    }
}

relation! {
    CHECK_CONSTRAINT_ROUTINE_USAGE = "check_constraint_routine_usage" 13255, row_type 13257, information_schema View, nothing;
    {
        constraint_catalog: SQL_IDENTIFIER, constraint_schema: SQL_IDENTIFIER,
        constraint_name: SQL_IDENTIFIER, specific_catalog: SQL_IDENTIFIER,
        specific_schema: SQL_IDENTIFIER, specific_name: SQL_IDENTIFIER,
    }
}

relation! {
    FOREIGN_DATA_WRAPPERS = "foreign_data_wrappers" 13515, row_type 13517, information_schema View, nothing;
    {
        foreign_data_wrapper_catalog: SQL_IDENTIFIER, foreign_data_wrapper_name: SQL_IDENTIFIER,
        authorization_identifier: SQL_IDENTIFIER, library_name: CHARACTER_DATA,
        foreign_data_wrapper_language: CHARACTER_DATA,
    }
}

relation! {
    FOREIGN_DATA_WRAPPER_OPTIONS = "foreign_data_wrapper_options" 13511, row_type 13513, information_schema View, nothing;
    {
        foreign_data_wrapper_catalog: SQL_IDENTIFIER, foreign_data_wrapper_name: SQL_IDENTIFIER,
        option_name: SQL_IDENTIFIER, option_value: CHARACTER_DATA,
    }
}

relation! {
    FOREIGN_SERVERS = "foreign_servers" 13528, row_type 13530, information_schema View, nothing;
    {
        foreign_server_catalog: SQL_IDENTIFIER, foreign_server_name: SQL_IDENTIFIER,
        foreign_data_wrapper_catalog: SQL_IDENTIFIER, foreign_data_wrapper_name: SQL_IDENTIFIER,
        foreign_server_type: CHARACTER_DATA, foreign_server_version: CHARACTER_DATA,
        authorization_identifier: SQL_IDENTIFIER,
    }
}

relation! {
    FOREIGN_SERVER_OPTIONS = "foreign_server_options" 13524, row_type 13526, information_schema View, nothing;
    {
        foreign_server_catalog: SQL_IDENTIFIER, foreign_server_name: SQL_IDENTIFIER,
        option_name: SQL_IDENTIFIER, option_value: CHARACTER_DATA,
    }
}

relation! {
    FOREIGN_TABLES = "foreign_tables" 13541, row_type 13543, information_schema View, nothing;
    {
        foreign_table_catalog: SQL_IDENTIFIER, foreign_table_schema: SQL_IDENTIFIER,
        foreign_table_name: SQL_IDENTIFIER, foreign_server_catalog: SQL_IDENTIFIER,
        foreign_server_name: SQL_IDENTIFIER,
    }
}

relation! {
    FOREIGN_TABLE_OPTIONS = "foreign_table_options" 13537, row_type 13539, information_schema View, nothing;
    {
        foreign_table_catalog: SQL_IDENTIFIER, foreign_table_schema: SQL_IDENTIFIER,
        foreign_table_name: SQL_IDENTIFIER, option_name: SQL_IDENTIFIER,
        option_value: CHARACTER_DATA,
    }
}

relation! {
    USER_MAPPINGS = "user_mappings" 13555, row_type 13557, information_schema View, nothing;
    {
        authorization_identifier: SQL_IDENTIFIER, foreign_server_catalog: SQL_IDENTIFIER,
        foreign_server_name: SQL_IDENTIFIER,
    }
}

relation! {
    USER_MAPPING_OPTIONS = "user_mapping_options" 13550, row_type 13552, information_schema View, nothing;
    {
        authorization_identifier: SQL_IDENTIFIER, foreign_server_catalog: SQL_IDENTIFIER,
        foreign_server_name: SQL_IDENTIFIER, option_name: SQL_IDENTIFIER,
        option_value: CHARACTER_DATA,
    }
}

relation! {
    COLUMN_OPTIONS = "column_options" 13503, row_type 13505, information_schema View, nothing;
    {
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER, column_name: SQL_IDENTIFIER,
        option_name: SQL_IDENTIFIER, option_value: CHARACTER_DATA,
    }
}

relation! {
    USER_DEFINED_TYPES = "user_defined_types" 13463, row_type 13465, information_schema View, nothing;
    {
        user_defined_type_catalog: SQL_IDENTIFIER, user_defined_type_schema: SQL_IDENTIFIER,
        user_defined_type_name: SQL_IDENTIFIER, user_defined_type_category: CHARACTER_DATA,
        is_instantiable: YES_OR_NO, is_final: YES_OR_NO, ordering_form: CHARACTER_DATA,
        ordering_category: CHARACTER_DATA, ordering_routine_catalog: SQL_IDENTIFIER,
        ordering_routine_schema: SQL_IDENTIFIER, ordering_routine_name: SQL_IDENTIFIER,
        reference_type: CHARACTER_DATA, data_type: CHARACTER_DATA,
        character_maximum_length: CARDINAL_NUMBER, character_octet_length: CARDINAL_NUMBER,
        character_set_catalog: SQL_IDENTIFIER, character_set_schema: SQL_IDENTIFIER,
        character_set_name: SQL_IDENTIFIER, collation_catalog: SQL_IDENTIFIER,
        collation_schema: SQL_IDENTIFIER, collation_name: SQL_IDENTIFIER,
        numeric_precision: CARDINAL_NUMBER, numeric_precision_radix: CARDINAL_NUMBER,
        numeric_scale: CARDINAL_NUMBER, datetime_precision: CARDINAL_NUMBER,
        interval_type: CHARACTER_DATA, interval_precision: CARDINAL_NUMBER,
        source_dtd_identifier: SQL_IDENTIFIER, ref_dtd_identifier: SQL_IDENTIFIER,
    }
}

relation! {
    TRANSFORMS = "transforms" 13430, row_type 13432, information_schema View, nothing;
    {
        udt_catalog: SQL_IDENTIFIER, udt_schema: SQL_IDENTIFIER, udt_name: SQL_IDENTIFIER,
        specific_catalog: SQL_IDENTIFIER, specific_schema: SQL_IDENTIFIER,
        specific_name: SQL_IDENTIFIER, group_name: SQL_IDENTIFIER,
        transform_type: CHARACTER_DATA,
    }
}

relation! {
    ATTRIBUTES = "attributes" 13245, row_type 13247, information_schema View, nothing;
    {
        udt_catalog: SQL_IDENTIFIER, udt_schema: SQL_IDENTIFIER, udt_name: SQL_IDENTIFIER,
        attribute_name: SQL_IDENTIFIER, ordinal_position: CARDINAL_NUMBER,
        attribute_default: CHARACTER_DATA, is_nullable: YES_OR_NO,
        data_type: CHARACTER_DATA, character_maximum_length: CARDINAL_NUMBER,
        character_octet_length: CARDINAL_NUMBER, character_set_catalog: SQL_IDENTIFIER,
        character_set_schema: SQL_IDENTIFIER, character_set_name: SQL_IDENTIFIER,
        collation_catalog: SQL_IDENTIFIER, collation_schema: SQL_IDENTIFIER,
        collation_name: SQL_IDENTIFIER, numeric_precision: CARDINAL_NUMBER,
        numeric_precision_radix: CARDINAL_NUMBER, numeric_scale: CARDINAL_NUMBER,
        datetime_precision: CARDINAL_NUMBER, interval_type: CHARACTER_DATA,
        interval_precision: CARDINAL_NUMBER, attribute_udt_catalog: SQL_IDENTIFIER,
        attribute_udt_schema: SQL_IDENTIFIER, attribute_udt_name: SQL_IDENTIFIER,
        scope_catalog: SQL_IDENTIFIER, scope_schema: SQL_IDENTIFIER,
        scope_name: SQL_IDENTIFIER, maximum_cardinality: CARDINAL_NUMBER,
        dtd_identifier: SQL_IDENTIFIER, is_derived_reference_attribute: YES_OR_NO,
    }
}

relation! {
    ROUTINE_COLUMN_USAGE = "routine_column_usage" 13348, row_type 13350, information_schema View, nothing;
    {
        specific_catalog: SQL_IDENTIFIER, specific_schema: SQL_IDENTIFIER,
        specific_name: SQL_IDENTIFIER, routine_catalog: SQL_IDENTIFIER,
        routine_schema: SQL_IDENTIFIER, routine_name: SQL_IDENTIFIER,
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER, column_name: SQL_IDENTIFIER,
    }
}

relation! {
    ROUTINE_TABLE_USAGE = "routine_table_usage" 13372, row_type 13374, information_schema View, nothing;
    {
        specific_catalog: SQL_IDENTIFIER, specific_schema: SQL_IDENTIFIER,
        specific_name: SQL_IDENTIFIER, routine_catalog: SQL_IDENTIFIER,
        routine_schema: SQL_IDENTIFIER, routine_name: SQL_IDENTIFIER,
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER,
    }
}

relation! {
    ROUTINE_SEQUENCE_USAGE = "routine_sequence_usage" 13367, row_type 13369, information_schema View, nothing;
    {
        specific_catalog: SQL_IDENTIFIER, specific_schema: SQL_IDENTIFIER,
        specific_name: SQL_IDENTIFIER, routine_catalog: SQL_IDENTIFIER,
        routine_schema: SQL_IDENTIFIER, routine_name: SQL_IDENTIFIER,
        sequence_catalog: SQL_IDENTIFIER, sequence_schema: SQL_IDENTIFIER,
        sequence_name: SQL_IDENTIFIER,
    }
}

relation! {
    ROUTINE_ROUTINE_USAGE = "routine_routine_usage" 13362, row_type 13364, information_schema View, nothing;
    {
        specific_catalog: SQL_IDENTIFIER, specific_schema: SQL_IDENTIFIER,
        specific_name: SQL_IDENTIFIER, routine_catalog: SQL_IDENTIFIER,
        routine_schema: SQL_IDENTIFIER, routine_name: SQL_IDENTIFIER,
    }
}

relation! {
    COLUMN_COLUMN_USAGE = "column_column_usage" 13275, row_type 13277, information_schema View, nothing;
    {
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER, column_name: SQL_IDENTIFIER,
        dependent_column: SQL_IDENTIFIER,
    }
}
