CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS user (
    id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS token (
    access TEXT PRIMARY KEY, refresh TEXT NOT NULL UNIQUE, user_id INTEGER NOT NULL,
    expires REAL NOT NULL);

CREATE TABLE IF NOT EXISTS indicator_type (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, class TEXT NOT NULL, score TEXT,
    wildcard_matching TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS indicator_status (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL,
    user_editable TEXT NOT NULL, visible TEXT NOT NULL, include_in_export TEXT NOT NULL,
    protected TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event_type (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, user_editable TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attachment_type (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, is_parsable TEXT NOT NULL,
    parser_class TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tlp (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, rank INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS whitelist (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type_id INTEGER NOT NULL, pattern TEXT NOT NULL,
    UNIQUE (type_id, pattern));

CREATE TABLE IF NOT EXISTS source (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, reference_id INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE, tlp_id INTEGER, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS object_source (
    id INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, object_id INTEGER NOT NULL,
    source_id INTEGER NOT NULL, creator_source_id INTEGER NOT NULL, tlp_id INTEGER,
    published_at TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    UNIQUE (object, object_id, source_id));
CREATE TABLE IF NOT EXISTS attribute (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS object_attribute (
    id INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, object_id INTEGER NOT NULL,
    attribute_id INTEGER NOT NULL, value TEXT NOT NULL, published_at TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, touched_at TEXT NOT NULL,
    UNIQUE (object, object_id, attribute_id, value));
CREATE TABLE IF NOT EXISTS tag (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS object_tag (
    id INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, object_id INTEGER NOT NULL,
    tag_id INTEGER NOT NULL, UNIQUE (object, object_id, tag_id));
CREATE TABLE IF NOT EXISTS comment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, object_id INTEGER NOT NULL,
    value TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS watch (
    id INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, object_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL, created_at TEXT NOT NULL, UNIQUE (object, object_id, user_id));
CREATE TABLE IF NOT EXISTS link (
    id INTEGER PRIMARY KEY AUTOINCREMENT, src_type TEXT NOT NULL, src_object_id INTEGER NOT NULL,
    dest_type TEXT NOT NULL, dest_object_id INTEGER NOT NULL,
    pair TEXT NOT NULL UNIQUE,  -- both ends in one fixed order: a relation has no direction
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS link_src ON link (src_type, src_object_id, dest_type);
CREATE INDEX IF NOT EXISTS link_dest ON link (dest_type, dest_object_id, src_type);

CREATE TABLE IF NOT EXISTS indicator (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type_id INTEGER NOT NULL, status_id INTEGER NOT NULL,
    class TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, value TEXT NOT NULL, description TEXT,
    last_detected_at TEXT, expires_at TEXT, expired_at TEXT,
    expires_needs_calc TEXT NOT NULL DEFAULT 'Y', expires_calculated_at TEXT, manual_score INTEGER,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, touched_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attachment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type_id INTEGER NOT NULL, name TEXT NOT NULL,
    title TEXT NOT NULL, hash TEXT NOT NULL, content_type_id INTEGER NOT NULL,
    file_size INTEGER NOT NULL, malware_locked INTEGER NOT NULL, description TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, touched_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS attachment_hash ON attachment (hash);
CREATE TABLE IF NOT EXISTS content (attachment_id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type_id INTEGER NOT NULL, title TEXT NOT NULL,
    happened_at TEXT, hash TEXT NOT NULL, description TEXT, spearphish TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, touched_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS other (  -- adversaries, reports and the like: one number range for all
    id INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, name TEXT, title TEXT, value TEXT,
    description TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, touched_at TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS chunk (
    user_id INTEGER NOT NULL, identifier TEXT NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (user_id, identifier, number));
CREATE TABLE IF NOT EXISTS upload (
    user_id INTEGER NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (user_id, name));
CREATE TABLE IF NOT EXISTS import (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, state TEXT NOT NULL,
    user_id INTEGER NOT NULL, given TEXT NOT NULL, found TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS connector_category (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS connector (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, category_id INTEGER NOT NULL,
    indicator_status_id INTEGER NOT NULL, tlp_id INTEGER, is_active INTEGER NOT NULL,
    is_notifiable INTEGER NOT NULL, source_id INTEGER NOT NULL, last_import_at TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS connector_field (
    id INTEGER PRIMARY KEY AUTOINCREMENT, connector_id INTEGER NOT NULL, key TEXT NOT NULL,
    label TEXT NOT NULL, type TEXT NOT NULL, mask INTEGER NOT NULL, options TEXT, help TEXT,
    user_editable INTEGER NOT NULL, value TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, UNIQUE (connector_id, key));

CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    query TEXT NOT NULL, status INTEGER NOT NULL, millis REAL NOT NULL, fault TEXT);
