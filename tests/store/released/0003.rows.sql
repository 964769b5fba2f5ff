INSERT INTO opinions (id, explanation_id, finding, stance, digest, who, created)
  VALUES (1, 1, 'Mass', 'agree', 'd', 'browser', '2026-01-31 10:20:30.123456');
INSERT INTO events (id, key, kind, happened, tab, study_key, image_key, explanation_key, view, who,
  received) VALUES
  (3, 'k1', 'opened', '2026-01-31 10:20:30.123456', 't', 's1', 'i1', 'e1', '{"opacity": 0.5}', 'browser', '2026-01-31 10:20:30.123456'),
  (7, 'k2', 'closed', '2026-01-31 10:20:30.123456', 't', 's1', 'i1', 'e1', '{}', 'browser', '2026-01-31 10:20:30.123456');
