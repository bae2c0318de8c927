-- Rows that must be the same before and after a move: nothing in them depends on when or where they were made.
CREATE TABLE devices (
    id INT PRIMARY KEY,
    name VARCHAR(40) NOT NULL,
    fingerprint CHAR(32) NOT NULL,
    seen DATETIME NOT NULL
);
INSERT INTO devices
    SELECT seq, CONCAT('device-', seq), MD5(seq), TIMESTAMP('2023-11-08 00:00:00') + INTERVAL seq MINUTE FROM seq_1_to_1000;
