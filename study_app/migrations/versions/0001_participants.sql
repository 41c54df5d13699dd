CREATE VIEW participants AS
SELECT q.participant, q.study, q.study_sha256, q.mode, q."set", q.set_sha256, q.state, q.simulated, q.pilot,
       q.language, q.consent_version, q.entered_at, q.last_seen_at, q.finished_at, q.trials, q.answered, q.missed,
       q.catch_trials, q.catch_correct, q.implausible, q.excluded_for, CASE WHEN q.excluded_for <> '' THEN 1 ELSE 0 END AS excluded,
       q.questionnaire, q.device, q.comment, q.mirrored
FROM (
SELECT c.*,
       CASE WHEN c.state = 'rejected' THEN 'rejected'
            WHEN c.state IN ('returned', 'timed-out') AND c.finished_at IS NOT NULL THEN 'returned'
            WHEN c.catch_trials - c.catch_correct > c.catch_allowed THEN 'attention'
            WHEN c.implausible > c.implausible_allowed OR 2 * c.not_fetched > c.answered + c.catch_trials
            THEN 'implausible'
            WHEN c.pilot = 1 THEN 'pilot'
            ELSE '' END AS excluded_for
FROM (
SELECT p.public_id AS participant,
       y.slug AS study, v.sha256 AS study_sha256, v.mode AS mode,
       CASE WHEN {design} = 'within' THEN 'all' ELSE s.name END AS "set",
       s.sha256 AS set_sha256,
       p.state AS state,
       CASE WHEN p.simulated THEN 1 ELSE 0 END AS simulated,
       CASE WHEN p.pilot THEN 1 ELSE 0 END AS pilot,
       p.language AS language, p.consent_version AS consent_version,
       p.entered_at AS entered_at, p.last_seen_at AS last_seen_at, p.finished_at AS finished_at,
       (SELECT COUNT(*) FROM trial t WHERE t.participant_id = p.id AND t.kind <> 'catch') AS trials,
       (SELECT COUNT(*) FROM trial t
         WHERE t.participant_id = p.id AND t.kind <> 'catch' AND t.answer <> 'missed') AS answered,
       (SELECT COUNT(*) FROM trial t
         WHERE t.participant_id = p.id AND t.kind <> 'catch' AND t.answer = 'missed') AS missed,
       (SELECT COUNT(*) FROM trial t
         WHERE t.participant_id = p.id AND t.kind = 'catch' AND t.answer <> 'missed') AS catch_trials,
       (SELECT COUNT(*) FROM trial t JOIN stimulus i ON i.id = t.stimulus_id
         WHERE t.participant_id = p.id AND t.kind = 'catch' AND t.answer = i.truth) AS catch_correct,
       COALESCE({catch_wrong}, 0) AS catch_allowed,
       (SELECT COUNT(*) FROM trial t
         WHERE t.participant_id = p.id AND t.answer IS NOT NULL AND ({is_implausible})) AS implausible,
       {implausible} AS implausible_allowed,
       (SELECT COUNT(*) FROM trial t
         WHERE t.participant_id = p.id AND t.answer IS NOT NULL AND t.flags LIKE '%not-fetched%') AS not_fetched,
       CAST(p.questionnaire AS TEXT) AS questionnaire,
       CAST(p.device AS TEXT) AS device,
       p.comment AS comment,
       CASE WHEN p.mirrored THEN 1 ELSE 0 END AS mirrored
FROM participant p
JOIN study y ON y.id = p.study_id
JOIN study_version v ON v.id = p.version_id
LEFT JOIN stimulus_set s ON s.id = p.set_id
) c ) q
