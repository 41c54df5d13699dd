CREATE VIEW {view} AS
SELECT p.public_id AS participant,
       CASE WHEN {design} = 'within' THEN 'all' ELSE s.name END AS "set",
       s.sha256 AS set_sha256,
       i.public_id AS stimulus, i.truth AS truth,
       NULLIF(t.answer, 'missed') AS answer, t.position AS position,
       t.exposure_ms_planned AS exposure_ms_planned, t.exposure_ms_actual AS exposure_ms_actual,
       t.dropped_frames AS dropped_frames,
       CASE WHEN t.focus_lost THEN 1 ELSE 0 END AS focus_lost,
       t.response_time_ms AS response_time_ms,
       t.answered_at AS answered_at, t.flags AS flags,
       CASE WHEN p.simulated THEN 1 ELSE 0 END AS simulated,
       CASE WHEN p.pilot THEN 1 ELSE 0 END AS pilot,
       y.slug AS study, v.mode AS mode, p.state AS state, t.kind AS kind,
       CASE WHEN EXISTS (
         SELECT 1 FROM trial r
         WHERE r.participant_id = t.participant_id AND r.replaces = t.position AND r.answer IS NOT NULL
       ) THEN 1 ELSE 0 END AS replaced,
       CASE WHEN {implausible} THEN 1 ELSE 0 END AS implausible,
       {by} AS answered_by, {early_presses} AS early_presses, t.begun AS begun,
       {frame_ms} AS frame_ms, {uncertain_ms} AS exposure_uncertain_ms,
       {image_width} AS image_width, {image_height} AS image_height, {pixel_ratio} AS pixel_ratio,
       {image_mm} AS image_mm, {image_degrees} AS image_degrees,
       CASE WHEN {design} <> 'within' THEN COALESCE({image_set}, '') ELSE COALESCE(NULLIF(i.condition, ''), i2.condition, '') END
         AS source,
       {task} AS task, t.rating AS rating, t.confidence AS confidence,
       i2.public_id AS second_stimulus, t.second_exposure_ms AS second_exposure_ms,
       t.why AS why, t.why_x AS why_x, t.why_y AS why_y
FROM trial t
JOIN participant p ON p.id = t.participant_id
JOIN study y ON y.id = p.study_id
JOIN study_version v ON v.id = p.version_id
JOIN stimulus i ON i.id = t.stimulus_id
JOIN stimulus_set s ON s.id = i.set_id
LEFT JOIN stimulus i2 ON i2.id = t.second_id
WHERE t.answer IS NOT NULL AND t.kind {which} 'catch'
