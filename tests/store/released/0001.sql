BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
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
	finished DATETIME, 
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
CREATE TABLE images (
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
	PRIMARY KEY (id), 
	FOREIGN KEY(study_id) REFERENCES studies (id), 
	UNIQUE (identity), 
	UNIQUE ("key")
);
CREATE TABLE models (
	digest VARCHAR(64) NOT NULL, 
	name VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	current BOOLEAN NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (digest)
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
CREATE INDEX ix_images_files_digest ON images (files_digest);
CREATE INDEX ix_images_study_id ON images (study_id);
CREATE INDEX ix_files_digest ON files (digest);
CREATE INDEX ix_files_image_id ON files (image_id);
CREATE INDEX ix_predictions_image_id ON predictions (image_id);
CREATE INDEX ix_explanations_digest ON explanations (digest);
CREATE INDEX ix_explanations_image_id ON explanations (image_id);
CREATE INDEX ix_explanations_model_digest ON explanations (model_digest);
CREATE INDEX ix_explanations_state ON explanations (state);
COMMIT;
