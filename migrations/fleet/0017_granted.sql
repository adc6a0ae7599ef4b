ALTER TABLE approval ADD COLUMN granted TEXT;
