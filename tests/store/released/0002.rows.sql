INSERT INTO instances (id, sop_instance_uid, content_digest, digest, bytes, study_instance_uid,
  series_instance_uid, sop_class_uid, transfer_syntax_uid, header, origin, sender, conflicting, intent,
  reason, attempts, explanation_id, received) VALUES
  (1, '1.2.1.1.1', 'c', 'd', 9, '1.2.1', '1.2.1.1', '1.2.3', '1.2.4', '{}', 'c-store', 'MODALITY',
   false, 'taken', '', 0, 1, '2026-01-31 10:20:30.123456');
INSERT INTO watched_files (path, bytes, modified, reason)
  VALUES ('/in/1.dcm', 9, 1769854830123456789, '');
INSERT INTO orders (id, explanation_id, profile, destination, rule, state, reason, attempts, created)
  VALUES (1, 1, 'sr', 'PACS', 'all', 'done', '', 0, '2026-01-31 10:20:30.123456');
INSERT INTO deliveries (id, instance_id, destination, state, tries, due, reason, created, finished)
  VALUES (1, 1, 'PACS', 'sent', 1, '2026-01-31 10:20:30.123456', '', '2026-01-31 10:20:30.123456', '2026-01-31 10:20:30.123456');
INSERT INTO flags (id, explanation_id, finding, reason, text, view, digest, who, created)
  VALUES (1, 1, 'Mass', 'wrong place', 'it is lower', '{"opacity": 0.5}', 'd', 'browser', '2026-01-31 10:20:30.123456');
INSERT INTO access_tokens (sha256, name, may_store, expires, created, used)
  VALUES ('a', 'ohif', true, NULL, '2026-01-31 10:20:30.123456', '2026-01-31 10:20:30.123456');
