INSERT INTO studies (id, key, study_instance_uid, patient_name, patient_id, birth_date, sex,
  study_date, study_time, description, accession_number, phantom, created) VALUES
  (1, 's1', '1.2.1', 'Müller^Anna', 'P1', '', 'F', '20260131', '1020', 'Chest', 'A1', false, '2026-01-31 10:20:30.123456'),
  (2, 's2', '1.2.2', 'Doe^John', 'P2', '', 'M', '20260130', '', 'CT', 'A2', true, '2026-01-31 10:20:30.123456');
INSERT INTO images (id, key, study_id, identity, files_digest, pixel_digest, modality,
  series_instance_uid, series_description, view_position, frame_number, header, source, created) VALUES
  (1, 'i1', 1, 'x1', 'f', 'p', 'DX', '1.2.1.1', '', 'PA', NULL, '{"space": [2, 2]}', '{}', '2026-01-31 10:20:30.123456'),
  (2, 'i2', 2, 'x2', 'f', 'p', 'CT', '1.2.2.1', '', '', NULL, '{}', '{}', '2026-01-31 10:20:30.123456');
INSERT INTO files (id, image_id, kind, position, digest, bytes) VALUES (1, 1, 'original', 0, 'd', 9);
INSERT INTO models (digest, name, version, current, created) VALUES ('m', 'model', '1', true, '2026-01-31 10:20:30.123456');
INSERT INTO predictions (id, image_id, model_digest, position, name, operating_point, logit,
  probability) VALUES (1, 1, 'm', 0, 'Mass', 0.5, 1.0, 0.75), (2, 1, 'm', 1, 'Nodule', NULL, 0.0, 0.5);
INSERT INTO explanations (id, key, image_id, model_digest, method, state, reason, digest, bytes,
  created, finished) VALUES
  (1, 'e1', 1, 'm', 'grad-cam', 'done', '', 'd', 9, '2026-01-31 10:20:30.123456', '2026-01-31 10:20:30.123456'),
  (2, 'e2', 2, 'm', 'grad-cam', 'wanted', '', NULL, 0, '2026-01-31 10:20:30.123456', NULL);
INSERT INTO tokens (sha256, expires, used, created) VALUES ('t', '2026-01-31 10:20:30.123456', NULL, '2026-01-31 10:20:30.123456');
INSERT INTO visits (sha256, expires, created) VALUES ('v', '2026-01-31 10:20:30.123456', '2026-01-31 10:20:30.123456');
