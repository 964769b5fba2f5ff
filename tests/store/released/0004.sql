BEGIN TRANSACTION;
CREATE TABLE access_tokens (
	sha256 VARCHAR(64) NOT NULL, 
	name VARCHAR NOT NULL, 
	may_store BOOLEAN NOT NULL, 
	expires DATETIME, 
	created DATETIME NOT NULL, 
	used DATETIME, 
	PRIMARY KEY (sha256), 
	UNIQUE (name)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE deliveries (
	id INTEGER NOT NULL, 
	instance_id INTEGER NOT NULL, 
	destination VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	tries INTEGER NOT NULL, 
	due DATETIME NOT NULL, 
	reason VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	finished DATETIME, 
	PRIMARY KEY (id), 
	FOREIGN KEY(instance_id) REFERENCES instances (id), 
	UNIQUE (instance_id, destination)
);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	"key" VARCHAR(32) NOT NULL, 
	kind VARCHAR NOT NULL, 
	happened DATETIME NOT NULL, 
	tab VARCHAR(32) NOT NULL, 
	study_key VARCHAR(64) NOT NULL, 
	image_key VARCHAR(64) NOT NULL, 
	explanation_key VARCHAR(64) NOT NULL, 
	"view" JSON NOT NULL, 
	who VARCHAR NOT NULL, 
	received DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE ("key")
);
CREATE TABLE explanations (
	id INTEGER NOT NULL, 
	"key" VARCHAR(32) NOT NULL, 
	image_id INTEGER NOT NULL, 
	model_digest VARCHAR(64) NOT NULL, 
	method VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	digest VARCHAR(64), 
	bytes INTEGER NOT NULL, 
	created DATETIME NOT NULL, 
	finished DATETIME, attempts INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(image_id) REFERENCES images (id), 
	FOREIGN KEY(model_digest) REFERENCES models (digest), 
	UNIQUE (image_id, model_digest, method), 
	UNIQUE ("key")
);
CREATE TABLE files (
	id INTEGER NOT NULL, 
	image_id INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	position INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	bytes INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(image_id) REFERENCES images (id), 
	UNIQUE (image_id, kind, position)
);
CREATE TABLE flags (
	id INTEGER NOT NULL, 
	explanation_id INTEGER NOT NULL, 
	finding VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	text VARCHAR NOT NULL, 
	"view" JSON NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	who VARCHAR NOT NULL, 
	created DATETIME NOT NULL, region JSON, 
	PRIMARY KEY (id), 
	FOREIGN KEY(explanation_id) REFERENCES explanations (id)
);
CREATE TABLE "images" (
	id INTEGER NOT NULL, 
	"key" VARCHAR(32) NOT NULL, 
	study_id INTEGER NOT NULL, 
	identity VARCHAR(64) NOT NULL, 
	files_digest VARCHAR(64) NOT NULL, 
	pixel_digest VARCHAR(64) NOT NULL, 
	modality VARCHAR NOT NULL, 
	series_instance_uid VARCHAR NOT NULL, 
	series_description VARCHAR NOT NULL, 
	view_position VARCHAR NOT NULL, 
	frame_number INTEGER, 
	header JSON NOT NULL, 
	source JSON NOT NULL, 
	created DATETIME NOT NULL, 
	superseded BOOLEAN DEFAULT 0 NOT NULL, 
	models_named BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (identity), 
	FOREIGN KEY(study_id) REFERENCES studies (id), 
	UNIQUE ("key")
);
CREATE TABLE instances (
	id INTEGER NOT NULL, 
	sop_instance_uid VARCHAR(64) NOT NULL, 
	content_digest VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	bytes INTEGER NOT NULL, 
	study_instance_uid VARCHAR(64) NOT NULL, 
	series_instance_uid VARCHAR(64) NOT NULL, 
	sop_class_uid VARCHAR(64) NOT NULL, 
	transfer_syntax_uid VARCHAR(64) NOT NULL, 
	header JSON NOT NULL, 
	origin VARCHAR NOT NULL, 
	sender VARCHAR NOT NULL, 
	conflicting BOOLEAN NOT NULL, 
	intent VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	attempts INTEGER NOT NULL, 
	explanation_id INTEGER, 
	received DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(explanation_id) REFERENCES explanations (id), 
	UNIQUE (sop_instance_uid, content_digest)
);
CREATE TABLE models (
	digest VARCHAR(64) NOT NULL, 
	name VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	current BOOLEAN NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE opinions (
	id INTEGER NOT NULL, 
	explanation_id INTEGER NOT NULL, 
	finding VARCHAR NOT NULL, 
	stance VARCHAR NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	who VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(explanation_id) REFERENCES explanations (id)
);
CREATE TABLE orders (
	id INTEGER NOT NULL, 
	explanation_id INTEGER NOT NULL, 
	profile VARCHAR NOT NULL, 
	destination VARCHAR NOT NULL, 
	rule VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	attempts INTEGER NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(explanation_id) REFERENCES explanations (id), 
	UNIQUE (explanation_id, profile, destination)
);
CREATE TABLE predictions (
	id INTEGER NOT NULL, 
	image_id INTEGER NOT NULL, 
	model_digest VARCHAR(64) NOT NULL, 
	position INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	operating_point DOUBLE, 
	logit DOUBLE NOT NULL, 
	probability DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(image_id) REFERENCES images (id), 
	FOREIGN KEY(model_digest) REFERENCES models (digest), 
	UNIQUE (image_id, model_digest, position)
);
CREATE TABLE studies (
	id INTEGER NOT NULL, 
	"key" VARCHAR(32) NOT NULL, 
	study_instance_uid VARCHAR NOT NULL, 
	patient_name VARCHAR NOT NULL, 
	patient_id VARCHAR NOT NULL, 
	birth_date VARCHAR NOT NULL, 
	sex VARCHAR NOT NULL, 
	study_date VARCHAR NOT NULL, 
	study_time VARCHAR NOT NULL, 
	description VARCHAR NOT NULL, 
	accession_number VARCHAR NOT NULL, 
	phantom BOOLEAN NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE ("key"), 
	UNIQUE (study_instance_uid)
);
CREATE TABLE tokens (
	sha256 VARCHAR(64) NOT NULL, 
	expires DATETIME NOT NULL, 
	used DATETIME, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (sha256)
);
CREATE TABLE visits (
	sha256 VARCHAR(64) NOT NULL, 
	expires DATETIME NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (sha256)
);
CREATE TABLE watched_files (
	path VARCHAR NOT NULL, 
	bytes INTEGER NOT NULL, 
	modified INTEGER NOT NULL, 
	reason VARCHAR NOT NULL, 
	PRIMARY KEY (path)
);
CREATE TABLE worklist (
	study_id INTEGER NOT NULL, 
	patient VARCHAR NOT NULL, 
	patient_id VARCHAR NOT NULL, 
	study_date VARCHAR NOT NULL, 
	description VARCHAR NOT NULL, 
	words VARCHAR NOT NULL, 
	modality VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	images INTEGER NOT NULL, 
	strongest DOUBLE NOT NULL, 
	reported BOOLEAN NOT NULL, 
	flagged BOOLEAN NOT NULL, 
	PRIMARY KEY (study_id), 
	FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE
);
CREATE TABLE worklist_changes (
	study_id INTEGER NOT NULL, 
	PRIMARY KEY (study_id)
);
CREATE TABLE worklist_findings (
	study_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	operating_point DOUBLE, 
	probability DOUBLE NOT NULL, 
	reported BOOLEAN NOT NULL, 
	PRIMARY KEY (study_id, name), 
	FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE INDEX ix_files_digest ON files (digest);
CREATE INDEX ix_files_image_id ON files (image_id);
CREATE INDEX ix_predictions_image_id ON predictions (image_id);
CREATE INDEX ix_explanations_digest ON explanations (digest);
CREATE INDEX ix_explanations_image_id ON explanations (image_id);
CREATE INDEX ix_explanations_model_digest ON explanations (model_digest);
CREATE INDEX ix_explanations_state ON explanations (state);
CREATE INDEX ix_images_files_digest ON images (files_digest);
CREATE INDEX ix_images_study_id ON images (study_id);
CREATE INDEX ix_instances_sop_instance_uid ON instances (sop_instance_uid);
CREATE INDEX ix_instances_digest ON instances (digest);
CREATE INDEX ix_instances_study_instance_uid ON instances (study_instance_uid);
CREATE INDEX ix_instances_series_instance_uid ON instances (series_instance_uid);
CREATE INDEX ix_instances_intent ON instances (intent);
CREATE INDEX ix_instances_explanation_id ON instances (explanation_id);
CREATE INDEX ix_instances_shown ON instances (study_instance_uid, series_instance_uid, id) WHERE conflicting = 0;
CREATE INDEX ix_orders_explanation_id ON orders (explanation_id);
CREATE INDEX ix_orders_state ON orders (state);
CREATE INDEX ix_deliveries_instance_id ON deliveries (instance_id);
CREATE INDEX ix_deliveries_state ON deliveries (state);
CREATE INDEX ix_flags_explanation_id ON flags (explanation_id);
CREATE INDEX ix_opinions_explanation_id ON opinions (explanation_id);
CREATE INDEX ix_events_study_key ON events (study_key);
CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are only added, never changed'); END;
CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are only added, never changed'); END;
CREATE INDEX ix_studies_patient_id ON studies (patient_id);
CREATE INDEX ix_worklist_patient ON worklist (patient, study_id);
CREATE INDEX ix_worklist_study_date ON worklist (study_date, study_id);
CREATE INDEX ix_worklist_description ON worklist (description, study_id);
CREATE INDEX ix_worklist_modality ON worklist (modality, study_id);
CREATE INDEX ix_worklist_images ON worklist (images, study_id);
CREATE INDEX ix_worklist_state ON worklist (state, study_id);
CREATE INDEX ix_worklist_strongest ON worklist (strongest, study_id);
CREATE INDEX ix_worklist_findings_name ON worklist_findings (name, probability, study_id, reported);
CREATE TRIGGER worklist_studies_added AFTER INSERT ON studies BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT NEW.id AS study_id) EXCEPT SELECT * FROM worklist_changes; END;
CREATE TRIGGER worklist_studies_changed AFTER UPDATE ON studies BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT NEW.id AS study_id) EXCEPT SELECT * FROM worklist_changes; END;
CREATE TRIGGER worklist_images_added AFTER INSERT ON images BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT NEW.study_id AS study_id) EXCEPT SELECT * FROM worklist_changes; END;
CREATE TRIGGER worklist_images_changed AFTER UPDATE OF superseded, modality ON images BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT NEW.study_id AS study_id) EXCEPT SELECT * FROM worklist_changes; END;
CREATE TRIGGER worklist_explanations_added AFTER INSERT ON explanations BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT study_id FROM images WHERE id = NEW.image_id) EXCEPT SELECT * FROM worklist_changes; END;
CREATE TRIGGER worklist_explanations_changed AFTER UPDATE OF state ON explanations BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT study_id FROM images WHERE id = NEW.image_id) EXCEPT SELECT * FROM worklist_changes; END;
CREATE TRIGGER worklist_predictions_added AFTER INSERT ON predictions BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT study_id FROM images WHERE id = NEW.image_id) EXCEPT SELECT * FROM worklist_changes; END;
CREATE TRIGGER worklist_predictions_removed AFTER DELETE ON predictions BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT study_id FROM images WHERE id = OLD.image_id) EXCEPT SELECT * FROM worklist_changes; END;
CREATE TRIGGER worklist_flags_added AFTER INSERT ON flags BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT study_id FROM images JOIN explanations ON image_id = images.id WHERE explanations.id = NEW.explanation_id) EXCEPT SELECT * FROM worklist_changes; END;
CREATE TRIGGER worklist_models_changed AFTER UPDATE OF current ON models WHEN OLD.current <> NEW.current BEGIN INSERT INTO worklist_changes SELECT * FROM (SELECT DISTINCT study_id FROM explanations JOIN images ON images.id = image_id WHERE model_digest = NEW.digest) EXCEPT SELECT * FROM worklist_changes; END;
COMMIT;
