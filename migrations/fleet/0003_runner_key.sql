ALTER TABLE runner ADD COLUMN previous_x TEXT;
ALTER TABLE runner ADD COLUMN previous_until_ms INTEGER;
